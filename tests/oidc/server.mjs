// A certified OAuth 2 and OpenID Connect server on loopback, for one test. Tells its address as one line of JSON, and
// ends when its input does. Whoever comes to its pages is signed in as who `login_hint` says, without typing.
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const resource = 'https://api.example/';
// The public half of the key in RFC 7515, appendix A.3.1.
const key = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  kid: 'k1',
};
const service = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
const clients = [
  {
    client_id: 'app',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: ['http://127.0.0.1/done'],
  },
  // Both have what a form has to encode.
  { ...service, client_id: 'basic:1 %+', client_secret: 'p%:&= w+rd', token_endpoint_auth_method: 'client_secret_basic' },
  { ...service, client_id: 'post', client_secret: 'p%:&= w+rd', token_endpoint_auth_method: 'client_secret_post' },
  {
    ...service,
    client_id: 'signed',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [key] },
  },
];

const provider = new Provider(issuer, {
  clients,
  scopes: ['openid', 'offline_access', 'read', 'write'],
  cookies: { keys: ['for one test'] },
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  ttl: { AccessToken: 3600, ClientCredentials: 600, RefreshToken: 86400, DeviceCode: 600, Grant: 86400, Session: 86400 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: 'read write', audience: resource, accessTokenTTL: 1800 }),
    },
  },
});

// What the tests ask about afterwards.
const stats = { refreshes: 0, reuses: 0, revoked: 0, refused: 0 };
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params.grant_type === 'refresh_token') stats.refreshes += 1;
});
provider.on('grant.error', (ctx, error) => {
  stats.refused += 1;
  if (/already used/.test(error.error_detail)) stats.reuses += 1;
});
provider.on('grant.revoked', () => {
  stats.revoked += 1;
});

async function interact(request, response) {
  const { params, prompt, session } = await provider.interactionDetails(request, response);
  const finish = (result) => provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  if (params.login_hint === 'nobody') {
    return finish({ error: 'access_denied', error_description: 'the person said no' });
  }
  if (prompt.name === 'login') {
    return finish({ login: { accountId: params.login_hint ?? 'ada' } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid offline_access read write');
  grant.addResourceScope(resource, 'read write');
  return finish({ consent: { grantId: await grant.save() } });
}

const standard = provider.callback();
server.on('request', (request, response) => {
  if (request.url === '/stats') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(stats));
  } else if (request.url.startsWith('/interaction/')) {
    interact(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  } else {
    standard(request, response);
  }
});

console.log(JSON.stringify({ issuer }));
// Nobody reads what else it has to say.
console.log = console.info = () => {};
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
