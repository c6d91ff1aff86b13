//! The APIs at both ends of a stream.

use super::Api;

/// The APIs at both ends of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The client's.
    pub(crate) client: Api,
    /// The upstream's.
    pub(crate) upstream: Api,
}

impl Way {
    /// The pairs that are translated: agents made for one vendor's models with the other's, or with a server of one's own.
    pub(crate) const TRANSLATED: [Self; 2] = [
        Self {
            client: Api::OpenAi,
            upstream: Api::Anthropic,
        },
        Self {
            client: Api::Anthropic,
            upstream: Api::OpenAi,
        },
    ];
    /// OpenAI's API at both ends.
    pub(crate) const OPENAI: Self = Self::within(Api::OpenAi);
    /// Every pair.
    pub(crate) const ALL: [Self; 4] = [
        Self::OPENAI,
        Self::within(Api::Anthropic),
        Self::TRANSLATED[0],
        Self::TRANSLATED[1],
    ];

    /// The same API at both ends.
    pub(crate) const fn within(api: Api) -> Self {
        Self {
            client: api,
            upstream: api,
        }
    }

    /// The same upstream, whose bytes go to a client of its own API.
    pub(crate) const fn relayed(self) -> Self {
        Self::within(self.upstream)
    }

    /// Whether the APIs differ.
    pub(crate) fn translates(self) -> bool {
        self.client != self.upstream
    }

    /// The host name that leads to the route of the upstream.
    pub(crate) fn host(self) -> &'static str {
        match self.upstream {
            Api::OpenAi => "chat.default.svc.cluster.local",
            Api::Anthropic => "messages.default.svc.cluster.local",
        }
    }
}
