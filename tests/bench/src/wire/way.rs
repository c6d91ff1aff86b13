//! The way of an exchange: the APIs at both ends, and whether a policy stands before it.

use super::Api;

/// The way of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The client's API.
    pub(crate) client: Api,
    /// The upstream's API.
    pub(crate) upstream: Api,
    /// Whether it leads over the route with an AccessPolicy.
    pub(crate) guarded: bool,
}

impl Way {
    /// The pairs that are translated: agents made for one vendor's models with the other's, or with a server of one's own.
    pub(crate) const TRANSLATED: [Self; 2] = [
        Self {
            client: Api::OpenAi,
            upstream: Api::Anthropic,
            guarded: false,
        },
        Self {
            client: Api::Anthropic,
            upstream: Api::OpenAi,
            guarded: false,
        },
    ];
    /// OpenAI's API at both ends.
    pub(crate) const OPENAI: Self = Self::within(Api::OpenAi);
    /// The same past an AccessPolicy.
    pub(crate) const GUARDED: Self = Self {
        guarded: true,
        ..Self::OPENAI
    };
    /// Every way.
    pub(crate) const ALL: [Self; 5] = [
        Self::OPENAI,
        Self::GUARDED,
        Self::within(Api::Anthropic),
        Self::TRANSLATED[0],
        Self::TRANSLATED[1],
    ];

    /// The same API at both ends, and no policy.
    pub(crate) const fn within(api: Api) -> Self {
        Self {
            client: api,
            upstream: api,
            guarded: false,
        }
    }

    /// The same upstream, whose bytes go to a client of its own API that no policy judges.
    pub(crate) const fn relayed(self) -> Self {
        Self::within(self.upstream)
    }

    /// Whether the APIs differ.
    pub(crate) fn translates(self) -> bool {
        self.client != self.upstream
    }

    /// Whether whole replies are asked for on it: they are OpenAI's.
    pub(crate) fn has_plain(self) -> bool {
        !self.translates() && self.client == Api::OpenAi
    }

    /// The host name that leads to its route.
    pub(crate) fn host(self) -> &'static str {
        match self.upstream {
            Api::OpenAi if self.guarded => "guarded.default.svc.cluster.local",
            Api::OpenAi => "chat.default.svc.cluster.local",
            Api::Anthropic => "messages.default.svc.cluster.local",
        }
    }
}
