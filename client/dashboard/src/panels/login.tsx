/** Login with one of the tokens, and what role the person has now. */
import { useSignal } from "@preact/signals";
import { useControl } from "../api/control.js";
import { Dialog } from "../ui/dialog.js";

export function RoleBadge() {
  const control = useControl();
  if (!control) return null;
  const { session } = control;
  const login = session.login.value;
  return (
    <span class="role">
      <span class="muted">{login?.role === "admin" ? "admin" : "read-only"}</span>
      {login ? (
        <button type="button" onClick={session.forget}>
          Log out
        </button>
      ) : (
        <button
          type="button"
          onClick={() =>
            session.offer("With the admin token you can move rooms and drain hosts; the viewer token reads.")
          }
        >
          Log in
        </button>
      )}
    </span>
  );
}

export function LoginDialog() {
  const control = useControl();
  const typed = useSignal("");
  const problem = useSignal("");
  const asking = control?.session.asking.value;
  if (!control || !asking) return null;

  const submit = async (event: Event) => {
    event.preventDefault();
    const token = typed.value.trim();
    try {
      const role = await control.roleOf(token);
      if (role === undefined)
        problem.value = "The broker does not know this token. It was printed when the broker first started.";
      else if (asking.role === "admin" && role !== "admin")
        problem.value = "This token only reads; orders need the admin token.";
      else {
        typed.value = "";
        problem.value = "";
        asking.answer({ token, role });
      }
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <Dialog title="Log in" onClose={() => asking.answer(undefined)}>
      <form class="login" onSubmit={(event) => void submit(event)}>
        <p class="muted">{asking.reason} It was printed when the broker first started.</p>
        <label>
          {asking.role === "admin" ? "Admin token" : "Token"}
          <input
            type="password"
            autocomplete="current-password"
            value={typed.value}
            onInput={(event) => {
              typed.value = event.currentTarget.value;
            }}
          />
        </label>
        <label>
          Your name, for the audit log
          <input
            type="text"
            autocomplete="name"
            maxLength={64}
            value={control.session.name.value}
            onInput={(event) => control.session.rename(event.currentTarget.value)}
          />
        </label>
        {problem.value && (
          <p class="failed" role="alert">
            {problem.value}
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" onClick={() => asking.answer(undefined)}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={typed.value.trim() === ""}>
            Log in
          </button>
        </div>
      </form>
    </Dialog>
  );
}
