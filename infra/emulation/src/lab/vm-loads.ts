/** What the guest of a migration benchmark can be busy with. */
export const VM_LOADS = ["idle", "network", "memory", "storage", "compute", "mixed"] as const;
export type VmLoad = (typeof VM_LOADS)[number];
