/** Passkeys: makes one or proves one, and puts the browser's answer into the form that asked for it. */

const numbered = /^[\d.]+$|^\[/.test(location.hostname); // no passkey works at a bare IP address (WebAuthn §5.1.3)
const supported = Boolean(window.PublicKeyCredential) && window.isSecureContext && !numbered;

for (const part of document.querySelectorAll('[data-passkeys]')) part.hidden = !supported;
for (const part of document.querySelectorAll('[data-no-passkeys]')) part.hidden = supported;
for (const form of document.querySelectorAll('form[data-passkey]')) form.addEventListener('submit', answer);

async function answer(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const problem = form.querySelector('[data-problem]');
  problem.hidden = true;
  try {
    const credential = await (form.dataset.passkey === 'create' ? create(form) : prove(form));
    form.elements.credential.value = JSON.stringify(credential);
    form.submit();
  } catch (error) {
    problem.hidden = false; // cancelled, timed out, or no passkey for this site: browsers do not tell which
    problem.focus();
  }
}

async function create(form) {
  const { publicKey } = optionsOf().creation_options;
  const alone = form.elements.passwordless.checked;
  const made = await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      user: { ...publicKey.user, id: bytes(publicKey.user.id) },
      excludeCredentials: described(publicKey.excludeCredentials),
      authenticatorSelection: {
        ...publicKey.authenticatorSelection,
        residentKey: alone ? 'required' : 'discouraged',
        requireResidentKey: alone,
        ...(alone && { userVerification: 'required' }),
      },
    },
  });
  return written(made, ['clientDataJSON', 'attestationObject']);
}

async function prove(form) {
  const { publicKey } = (form.dataset.passkey === 'login' ? await freshOptions(form) : optionsOf()).request_options;
  const proved = await navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      allowCredentials: described(publicKey.allowCredentials),
    },
  });
  return written(proved, ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle']);
}

function optionsOf() {
  return JSON.parse(document.getElementById('passkey-options').textContent);
}

/** Signing in starts with nobody: the challenge is asked for when it is needed, so that it is not stale. */
async function freshOptions(form) {
  const response = await fetch(form.action, { headers: { Accept: 'application/json' } });
  if (!response.ok) throw new Error('no challenge');
  return response.json();
}

function described(credentials = []) {
  return (credentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
}

/** The browser's credential as JSON (WebAuthn §5.1). */
function written(credential, parts) {
  const filled = parts.filter((part) => credential.response[part]);
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(filled.map((part) => [part, text(credential.response[part])])),
  };
}

function bytes(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
}

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
