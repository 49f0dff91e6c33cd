//! Lists and watches a kind of object, for ever.

use std::{collections::BTreeMap, fmt::Debug, pin::pin, time::Duration};

use futures_util::StreamExt as _;
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

/// After an error, the next attempt waits this long, and twice as long after each further one.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(15);
/// After this long without an error, it begins with the shortest again.
const FORGIVEN: Duration = Duration::from_secs(60);

/// Keeps what `keep` makes of each object, by name, and tells after each change. A server that cannot
/// be reached changes nothing; one that answers that it gives no such objects is told of too.
pub(super) async fn mirror<K, T>(
    api: Api<K>,
    selection: watcher::Config,
    keep: impl Fn(K) -> Option<(String, T)>,
    mut tell: impl FnMut(&BTreeMap<String, T>),
    mut withheld: impl FnMut(),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut kept = BTreeMap::new();
    let mut patience = Patience::default();
    loop {
        let mut events = pin!(watcher(api.clone(), selection.clone()));
        let mut listed = BTreeMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => listed.extend(keep(object)),
                Ok(Event::InitDone) => {
                    kept = std::mem::take(&mut listed);
                    tell(&kept);
                }
                Ok(Event::Apply(object)) => {
                    kept.extend(keep(object));
                    tell(&kept);
                }
                Ok(Event::Delete(object)) => {
                    if let Some((name, _)) = keep(object) {
                        kept.remove(&name);
                        tell(&kept);
                    }
                }
                Err(error) => {
                    if is_withheld(&error) {
                        withheld();
                    }
                    // A new watcher lists anew; the old one would ask for the same version for ever.
                    let is_gone = is_gone(&error);
                    patience.wait(is_gone).await;
                    if is_gone {
                        break;
                    }
                }
            }
        }
    }
}

/// The server does not know any more what followed the last version that was seen, and says so
/// instead of beginning a watch.
fn is_gone(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => return false,
    };
    status.code == 410
}

/// Objects of this kind are not defined, or not for this client to see.
fn is_withheld(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => {
            matches!(status.code, 403 | 404)
        }
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchError(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

struct Patience {
    pause: Duration,
    last: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            pause: Duration::ZERO,
            last: Instant::now(),
        }
    }
}

impl Patience {
    async fn wait(&mut self, is_gone: bool) {
        if self.last.elapsed() > FORGIVEN {
            self.pause = Duration::ZERO;
        }
        self.last = Instant::now();
        // The first of these is no fault of anybody.
        if is_gone && self.pause == Duration::ZERO {
            self.pause = SHORTEST;
            return;
        }
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        // A thousand nodes must not ask in the same moment.
        sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.last = Instant::now();
    }
}
