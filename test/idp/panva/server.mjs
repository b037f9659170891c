// An OpenID Connect provider for tests: the library oidc-provider, any name and password. It listens on a free port of
// loopback and prints its issuer in the first line. Its argument is JSON: redirect, office, gone, jwt, api, auth.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const { redirect, office, gone, jwt, api, auth } = JSON.parse(process.argv[2]);
const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const web = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};
const provider = new Provider(issuer, {
  clients: [
    {
      ...web, client_id: 'davwopi', client_secret: 's3cret', redirect_uris: [redirect], post_logout_redirect_uris: [gone],
      token_endpoint_auth_method: auth ?? 'client_secret_basic',
    },
    { ...web, client_id: 'office', client_secret: '0ffice', redirect_uris: [office], token_endpoint_auth_method: 'client_secret_post' },
  ],
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Person ${id}`, email: `${id}@example.test`, email_verified: true, groups: ['staff'] }),
  }),
  claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'wopi'],
  pkce: { required: () => false },
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  cookies: { keys: ['only for tests'] },
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  // Consent is given beforehand, so that a sign-in is one form.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid offline_access profile email');
    grant.addResourceScope(api, 'wopi');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    // Office's tokens are for the bridge's API; those of the bridge's own sign-in are for userinfo.
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => (client.clientId === 'office' ? api : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'wopi', audience: api, accessTokenFormat: jwt ? 'jwt' : 'opaque' }),
    },
  },
});
server.on('request', provider.callback());
console.log(issuer);
