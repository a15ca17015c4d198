/** Tests run what users run, the built packages: fail at once and clearly if they are not there. */
import { existsSync } from "node:fs";

export default function built(): void {
  for (const folder of ["client/protocol", "client/sdk", "placement", "infra", "server"]) {
    if (!existsSync(`${folder}/dist/index.js`))
      throw new Error(`${folder} is not built; run "npm run build" first`);
  }
}
