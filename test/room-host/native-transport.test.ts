/** Why uWebSockets.js does not run on a machine, told in one sentence that names the true cause. */
import { expect, it } from "vitest";
import { explainUwsFailure } from "../../infra/room-host/dist/sockets/native.js";

const here = { node: "22.23.3", abi: "127", platform: "linux", arch: "x64", glibc: "2.36" };
/** What the package's own loader says, whatever the cause; measured with Node 22 and 26 on Debian 12. */
const BLAME =
  "Error: This version of uWS.js supports only Node.js versions 16, 18, 20, 21, 22, 24 and 25 on (glibc) Linux\n\n";

it("the C library is too old", () => {
  const said = `${BLAME}Error: /lib/x86_64-linux-gnu/libc.so.6: version \`GLIBC_2.38' not found (required by uws_linux_x64_127.node)`;
  expect(explainUwsFailure(said, here)).toBe(
    "its binary for Node 22 needs glibc 2.38, and this system has 2.36",
  );
  expect(explainUwsFailure(said, { ...here, glibc: undefined })).toMatch(
    /this system has another C library$/,
  );
});

it("there is no binary for this Node", () => {
  const said = `${BLAME}Error: Cannot find module './uws_linux_x64_147.node'\nRequire stack:\n- uws.js`;
  expect(explainUwsFailure(said, { ...here, node: "26.10.0", abi: "147" })).toBe(
    "it has no binary for Node 26 (ABI 147) on linux x64",
  );
});

it("anything else is said as it is, or that the package is not there", () => {
  expect(explainUwsFailure("Error: Cannot find package 'uWebSockets.js' imported from x", here)).toBe(
    "it is not installed",
  );
  expect(explainUwsFailure(`${BLAME}Error: invalid ELF header`, here)).toBe("Error: invalid ELF header");
});
