/** Version of every wire format in this package; peers with another version are refused with a typed error. */
export const PROTOCOL_VERSION = 1;
