/** How far a migration has come, as steps with the current one named. */
import type { MigrationPhase } from "@centroid/protocol";

const STEPS = ["preparing", "copying", "connecting", "frozen", "switching", "releasing"] as const;

export function PhaseTrack({ phase }: { phase: MigrationPhase }) {
  const reached = (STEPS as readonly MigrationPhase[]).indexOf(phase);
  const at = reached === -1 ? STEPS.length : reached;
  return (
    <div class="phase-track">
      <span class="phase-steps" aria-hidden="true">
        {STEPS.map((step, index) => (
          <span key={step} class={index < at ? "done" : index === at ? "now" : ""} />
        ))}
      </span>
      <span class="phase-word">{phase}</span>
    </div>
  );
}
