/** Turns a host's address into the one that a player or another host must dial. */

export interface AddressBook {
  /**
   * @param address `host:port[/path]` as the host gave it
   * @param network label of the dialler: a player's network, `host:<hostId>`, `gateway:<gatewayId>`, or none
   */
  translate(address: string, hostId: string, network: string | undefined): string;
}

/** Everybody reaches every host under the address it gave. */
export const directAddresses: AddressBook = { translate: (address) => address };

/** Translates the authority of a URL and keeps the rest. */
export function translateUrl(
  book: AddressBook,
  url: string,
  hostId: string,
  network: string | undefined,
): string {
  const [, scheme = "ws://", address = url] = /^([a-z]+:\/\/)(.*)$/.exec(url) ?? [];
  return `${scheme}${book.translate(address, hostId, network)}`;
}
