// The address that `coherencyd admin dashboard` prints carries a token behind its "#", which no request and no log contains.
// It is exchanged for a cookie that no script can read.

/** The token of this page's address, which is taken out of it; null when there is none. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    history.replaceState(null, "", location.pathname);
  }

  return token;
}

/** True when the token was right: requests from here on are answered. */
export async function signIn(token) {
  const answer = await fetch("/session", { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  return answer.ok;
}
