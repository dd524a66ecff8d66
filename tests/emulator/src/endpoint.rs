//! What the paths of the services are for: the names by which faults and recordings speak of them.

/// Where a fault is to strike, and where a recorded request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// An endpoint of a service of your own, by the name that its [`Service`](crate::Service) gives it.
    Custom(&'static str),
    /// Navien `/user/sign-in`.
    SignIn,
    /// Navien `/auth/refresh`.
    Refresh,
    /// Navien `/auth/session/refresh`.
    SessionRefresh,
    /// Navien `/user/secured-sign-in`.
    SecuredSignIn,
    /// Navien `/device/list`, an API call: `POST` with the access token and a JSON body, in which `userId` is the e-mail
    /// address of the account. Another one gets 403, a token that is not good 401.
    DeviceList,
    /// Navien `/mqtt`, the opening of a WebSocket.
    Mqtt,
    /// Auth0 `/auth/login`, the first page, and the redirects before it.
    Auth0LoginPage,
    /// Auth0 `/u/login/password`, the second page.
    Auth0PasswordPage,
    /// Auth0 `/u/login`, which takes the login.
    Auth0Submit,
    /// Auth0 `/authorize/resume`, the way back to the site.
    Auth0Resume,
    /// Auth0 `/auth/callback` and what follows: tokens come here.
    Auth0Landing,
    /// Auth0 `/api/me`, an API call.
    Auth0Api,
    /// Mosaia `/oauth`, which a browser opens.
    MosaiaAuthorize,
    /// Mosaia `/v1/auth/signin`: sign-ins and refreshes.
    MosaiaSignIn,
    /// Mosaia `/v1/auth/token`: codes and refreshes.
    MosaiaToken,
    /// Mosaia `/auth/token`: refreshes.
    MosaiaOldToken,
    /// Mosaia `/v1/auth/signout`.
    MosaiaSignOut,
    /// Mosaia `/v1/self`, an API call.
    MosaiaSelf,
    /// Settrade `…/login`.
    SettradeLogin,
    /// Settrade `…/refresh-token`.
    SettradeRefresh,
    /// Settrade `/api/dispatcher/v3/…/token`.
    SettradeDispatcher,
    /// Settrade `/api/dispatcher/v3/…/mqtt`, the opening of a WebSocket.
    SettradeMqtt,
    /// Settrade `…/account-info`, an API call.
    SettradeApi,
    /// Settrade `/sdk-open-api/sdk-version.json`, which its published client asks for.
    SettradeVersion,
    /// Any request, to unknown paths too. An endpoint's own script comes first.
    Any,
}
