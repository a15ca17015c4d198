/** Imported before any schema is built: the page's content security policy forbids generated code. */
import { config } from "zod";

config({ jitless: true });
