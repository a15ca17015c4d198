/** What `centroid doctor` dumps and restores: a program with an open TCP connection, which says over it that it lives. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const CONTROL = "/run/centroid/control.sock";
/** There once nobody asks any more: half a connection cannot be dumped. */
const ALONE = "/run/centroid/alone";

const echo = createServer((socket) => socket.pipe(socket));
echo.listen(0, "127.0.0.1", () => {
  const peer = connect(echo.address().port, "127.0.0.1", () => {
    // Whoever asks gets its answer back over the connection that was there from the start.
    createServer((asker) => {
      asker.on("error", () => asker.destroy());
      rmSync(ALONE, { force: true });
      asker.once("close", () => {
        writeFileSync(`${ALONE}.new`, "");
        renameSync(`${ALONE}.new`, ALONE);
      });
      asker.once("data", (question) => {
        peer.once("data", (answer) => asker.end(answer));
        peer.write(question);
      });
    }).listen(CONTROL);
  });
});
