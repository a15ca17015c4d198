/** What `centroid doctor` dumps and restores: a program with an open TCP connection, which says over it that it lives. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const CONTROL = "/run/centroid/control.sock";
/** There once nobody asks any more: half a connection cannot be dumped. */
const ALONE = "/run/centroid/alone";
/** The container's network may come up later than this program. */
const RETRY_MS = 50;

const echo = createServer((socket) => socket.pipe(socket));
echo.listen(0, "127.0.0.1", connectToEcho);

function connectToEcho() {
  const peer = connect(echo.address().port, "127.0.0.1");
  const retry = () => setTimeout(connectToEcho, RETRY_MS);
  peer.once("error", retry);
  peer.once("connect", () => {
    peer.off("error", retry);
    answer(peer);
  });
}

/** Whoever asks gets its answer back over the connection that was there from the start. */
function answer(peer) {
  createServer((asker) => {
    asker.on("error", () => asker.destroy());
    rmSync(ALONE, { force: true });
    asker.once("close", () => {
      writeFileSync(`${ALONE}.new`, "");
      renameSync(`${ALONE}.new`, ALONE);
    });
    asker.once("data", (question) => {
      peer.once("data", (answered) => asker.end(answered));
      peer.write(question);
    });
  }).listen(CONTROL);
}
