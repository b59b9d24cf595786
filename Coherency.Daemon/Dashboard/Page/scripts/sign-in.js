import { signIn, takeToken } from "./session.js";

const state = document.getElementById("sign-in-state");

async function enter() {
  const token = takeToken();
  if (token === null) {
    return;
  }

  try {
    if (await signIn(token)) {
      location.replace("/");
      return;
    }

    state.textContent = "This address is not valid any more: the daemon has started again since it was printed.";
  } catch {
    state.textContent = "The daemon does not answer.";
  }
}

addEventListener("hashchange", enter);
enter();
