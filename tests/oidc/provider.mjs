// A login provider for the tests: npm's oidc-provider with its own login pages, which accept any password.
//
//   node provider.mjs [in-id-token]
//
// Prints its issuer, and exits when stdin ends.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const groups = { reader: ['readers'], publisher: ['ml-team'], operator: ['ops'], guest: [] };

const client = (id, more) => ({
  client_id: id,
  // A native client may be redirected to any port of this machine.
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/login/oidc/callback', 'http://localhost/login/oidc/callback'],
  ...more,
});

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client('depot', { token_endpoint_auth_method: 'none' }),
      client('depot-basic', { client_secret: 'basic secret: 100%', token_endpoint_auth_method: 'client_secret_basic' }),
    ],
    claims: { email: ['email', 'email_verified'], groups: ['groups'], profile: ['preferred_username'] },
    conformIdTokenClaims: process.argv[2] !== 'in-id-token',
    cookies: { keys: ['a key of the tests'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        preferred_username: id,
        groups: groups[id],
      }),
    }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
