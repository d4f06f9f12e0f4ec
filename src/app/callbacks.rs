//! The callbacks listener: made, served and renewed.

use super::{StartError, bind};
use crate::config::Config;
use crate::config::callbacks::{self, CallbacksConfig, Callers};
use crate::config::connect::StartProblem;
use crate::model::codes::config as codes;
use crate::ops::callbacks::{Callbacks, router};
use crate::pipeline::Context;
use crate::transport::https::{self, Certificates, ServerTls};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What may be renewed while it is served.
pub(super) struct Called {
    certificates: Certificates,
    callbacks: Arc<Callbacks>,
}

/// The listener before it is served.
pub(super) struct Listening {
    listener: TcpListener,
    called: Called,
}

/// Certificates and callers that were made of a configuration, not in use yet.
pub(super) struct Renewed {
    tls: ServerTls,
    callers: Callers,
}

impl Renewed {
    /// Makes them.
    pub fn make(config: &Config, callbacks: &CallbacksConfig) -> Result<Renewed, StartProblem> {
        let tls = callbacks::server_tls(config, callbacks)?;
        // Built once for the trial, so that putting it in force cannot fail.
        Certificates::new(&tls)
            .map_err(|error| StartProblem::new(&codes::BAD_CERTIFICATE, error.to_string()))?;
        Ok(Renewed { tls, callers: callbacks::callers(config)? })
    }
}

/// Holds the address, if callbacks are on.
pub(super) async fn listen(
    config: &Config,
    cx: &Arc<Context>,
) -> Result<Option<Listening>, StartError> {
    let Some(settings) = &config.callbacks else { return Ok(None) };
    let Renewed { tls, callers } = Renewed::make(config, settings)?;
    let certificates = Certificates::new(&tls)
        .map_err(|error| StartError::configuration(&codes::BAD_CERTIFICATE, error.to_string()))?;
    let listener = bind(settings.listen).await?;
    let callbacks = Callbacks::new(Arc::clone(cx), callers, settings.concurrency);
    Ok(Some(Listening { listener, called: Called { certificates, callbacks } }))
}

impl Listening {
    /// Serves it until told to stop.
    pub fn serve(self, stop: &watch::Receiver<bool>, tasks: &mut JoinSet<()>) -> Called {
        let Listening { listener, called } = self;
        let router = router(Arc::clone(&called.callbacks));
        tasks.spawn(https::serve(listener, called.certificates.clone(), router, stop.clone()));
        called
    }
}

impl Called {
    /// Others in the place of the old ones.
    pub fn renew(&self, renewed: Renewed) {
        // It was built once already, so that this cannot fail.
        let _ = self.certificates.renew(&renewed.tls);
        self.callbacks.renew(renewed.callers);
    }
}
