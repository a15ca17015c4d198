/** Who is looking: the admin token allows orders, the viewer's reading from afar. Kept for this tab only. */
import { type Role, roleSchema } from "@centroid/protocol";
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { z } from "zod";

const LOGIN_KEY = "centroid.login";
const NAME_KEY = "centroid.operator";

const loginSchema = z.object({ token: z.string(), role: roleSchema });
type Login = z.infer<typeof loginSchema>;

interface Asking {
  readonly reason: string;
  /** Less than this does not do. */
  readonly role: Role;
  readonly answer: (login: Login | undefined) => void;
}

export interface OperatorSession {
  readonly login: ReadonlySignal<Login | undefined>;
  /** What the person is called in the audit log; may be empty. */
  readonly name: ReadonlySignal<string>;
  /** Set while someone waits for a login. */
  readonly asking: Signal<Asking | undefined>;
  /** @returns the admin token, asking for it if need be; undefined when the person declines */
  need(reason: string): Promise<string | undefined>;
  /** Asks for either token. */
  offer(reason: string): void;
  rename(name: string): void;
  forget(): void;
}

export function createSession(): OperatorSession {
  const storage = sessionStorageOrNone();
  const login = signal<Login | undefined>(kept(storage?.getItem(LOGIN_KEY)));
  const name = signal(storage?.getItem(NAME_KEY) ?? "");
  const asking: OperatorSession["asking"] = signal(undefined);
  const ask = (reason: string, role: Role) =>
    new Promise<Login | undefined>((resolve) => {
      asking.peek()?.answer(undefined);
      asking.value = {
        reason,
        role,
        answer: (given) => {
          asking.value = undefined;
          if (given !== undefined) {
            login.value = given;
            storage?.setItem(LOGIN_KEY, JSON.stringify(given));
          }
          resolve(given);
        },
      };
    });
  return {
    login,
    name,
    asking,
    need: async (reason) => {
      const known = login.peek();
      return (known?.role === "admin" ? known : await ask(reason, "admin"))?.token;
    },
    offer: (reason) => void ask(reason, "viewer"),
    rename: (given) => {
      name.value = given;
      storage?.setItem(NAME_KEY, given);
    },
    forget: () => {
      login.value = undefined;
      storage?.removeItem(LOGIN_KEY);
    },
  };
}

function kept(text: string | null | undefined): Login | undefined {
  try {
    return loginSchema.safeParse(JSON.parse(text ?? "null")).data;
  } catch {
    return undefined;
  }
}

/** A page with no origin of its own has no storage; the login then lasts as long as the page. */
function sessionStorageOrNone(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
