/** The IPv4 network that rooms' machines or containers are in, and the address and MAC of each. */

/** Both ends belong to it. */
export interface AddressRange {
  readonly from: string;
  readonly to: string;
}

/** Of a valid dotted address. */
export function ipv4Number(address: string): number {
  return address.split(".").reduce((number, byte) => number * 256 + Number(byte), 0);
}

export function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

/** Of a valid `address/bits`: what hosts may be called, without the network's own and the broadcast address. */
export function networkOf(cidr: string): AddressRange & { readonly prefixBits: number } {
  const [address = "", bits = ""] = cidr.split("/");
  const prefixBits = Number(bits);
  const size = 2 ** (32 - prefixBits);
  const first = Math.floor(ipv4Number(address) / size) * size;
  return { prefixBits, from: ipv4Text(first + 1), to: ipv4Text(first + size - 2) };
}

export function isWithin(address: string, { from, to }: AddressRange): boolean {
  const number = ipv4Number(address);
  return number >= ipv4Number(from) && number <= ipv4Number(to);
}

export function countOf({ from, to }: AddressRange): number {
  return ipv4Number(to) - ipv4Number(from) + 1;
}

/** @throws {RangeError} beyond its end */
export function addressAt(range: AddressRange, index: number): string {
  if (index < 0 || index >= countOf(range))
    throw new RangeError(`there are ${countOf(range)} addresses from ${range.from}, no number ${index}`);
  return ipv4Text(ipv4Number(range.from) + index);
}

const macBytes = 6;

/** These first bytes, in hex, and from the address as many of its last as are missing. */
export function macOf(prefix: readonly string[], address: string): string {
  const rest = address.split(".").slice(prefix.length - macBytes);
  return [...prefix, ...rest.map((byte) => Number(byte).toString(16).padStart(2, "0"))].join(":");
}

/** QEMU's prefix and the last three bytes of the address: another one for each in a network of 8 bits or more. */
export const guestMac = (address: string): string => macOf(["52", "54", "00"], address);
