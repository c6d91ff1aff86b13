//! A connection to Redis, of whatever kind. Clones share it.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, Value};

use super::service::PATIENCE;
use super::url::Target;

/// Answers many at once.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
    /// To a server that never answers.
    #[cfg(test)]
    Nowhere,
}

impl Link {
    /// Connects.
    pub(super) async fn to(target: &mut Target) -> Result<Self, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        Ok(match target {
            Target::One(client) => {
                let connected = client.get_multiplexed_async_connection_with_config(&config);
                Self::One(connected.await?)
            }
            Target::Sentinel(client) => {
                Self::One(client.get_async_connection_with_config(&config).await?)
            }
            Target::Cluster(client) => Self::Cluster(client.get_async_connection().await?),
        })
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(link) => link.req_packed_command(cmd),
            Self::Cluster(link) => link.req_packed_command(cmd),
            #[cfg(test)]
            Self::Nowhere => Box::pin(std::future::pending()),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(link) => link.req_packed_commands(pipeline, offset, count),
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
            #[cfg(test)]
            Self::Nowhere => Box::pin(std::future::pending()),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(link) => link.get_db(),
            Self::Cluster(link) => link.get_db(),
            #[cfg(test)]
            Self::Nowhere => 0,
        }
    }
}
