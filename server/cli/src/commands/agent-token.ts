/** `centroid agent-token`: a token for one host, its end, and whether the shared one still opens. */
import { CentroidError, controlRoutes } from "@centroid/protocol";
import { type Command, Option } from "commander";
import { BrokerClient, type BrokerFlags, withBroker } from "../control/broker-client.js";
import { fail, notice, print, printJson } from "../terminal/output.js";

interface AgentTokenFlags extends BrokerFlags {
  revoke?: boolean;
  shared?: "on" | "off";
}

export function registerAgentToken(program: Command): void {
  withBroker(
    program
      .command("agent-token [host]")
      .description("make a token for one host: its agent joins with it, and nobody else under that id")
      .option("--revoke", "end the host's connection and let nobody join as this host")
      .addOption(
        new Option(
          "--shared <state>",
          "whether hosts without a token of their own join with the shared one",
        ).choices(["on", "off"]),
      ),
  ).action(async (hostId: string | undefined, { revoke = false, shared, ...flags }: AgentTokenFlags) => {
    const json = flags.json === true;
    try {
      const broker = new BrokerClient(flags);
      if ((hostId === undefined) === (shared === undefined) || (revoke && shared !== undefined))
        throw new CentroidError(
          "BAD_REQUEST",
          "name a host, with or without --revoke, or say --shared on or --shared off",
        );
      if (hostId === undefined) await acceptShared(broker, shared === "on", json);
      else if (revoke) {
        const answer = await broker.call(controlRoutes.revokeAgentToken, { params: { hostId } });
        if (json) printJson(answer);
        else print(`nobody joins as ${hostId} until "centroid agent-token ${hostId}" makes a new token`);
      } else {
        const answer = await broker.call(controlRoutes.issueAgentToken, { params: { hostId } });
        // Alone on standard output, for a file.
        if (json) printJson(answer);
        else print(answer.token);
      }
    } catch (cause) {
      fail(cause, json);
    }
  });
}

async function acceptShared(broker: BrokerClient, accepted: boolean, json: boolean): Promise<void> {
  const answer = await broker.call(controlRoutes.sharedAgentToken, { body: { accepted } });
  if (json) return printJson(answer);
  print(`hosts without a token of their own ${accepted ? "join with the shared one" : "are refused"}`);
  const { hostIds } = answer;
  if (!accepted && hostIds.length > 0)
    notice(`connected with the shared token, refused when they connect again: ${hostIds.join(", ")}`);
}
