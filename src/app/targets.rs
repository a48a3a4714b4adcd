//! The object stores of the configuration: the one place where their clients are made, and the parts that work with
//! them.

use std::sync::Arc;

use anyhow::Result;

use super::{App, tls};
use crate::archive::part::Batches;
use crate::clock::Clock;
use crate::config::{Config, CopyTarget, Environment, KeepLocal};
use crate::cooldown::Cooldowns;
use crate::copies::http::Patience;
use crate::copies::{Place, Target};
use crate::offsite::{Evictor, Fetcher};
use crate::store::{self, Store, TargetName, TargetRow};
use crate::throttle::Throttle;

/// The configured object stores, and the configuration that they are of.
pub struct Targets {
    /// The configuration.
    pub config: Config,
    /// Each with its row.
    pub all: Vec<Configured>,
}

/// A configured object store.
pub struct Configured {
    /// Its row.
    pub row: TargetRow,
    /// Its client, or why there is none.
    pub client: Result<Target, String>,
}

/// The client of the object store `name`. Nothing is sent yet.
///
/// # Errors
/// There is no such section, no access key, or no client can be made.
pub fn target(
    config: &Config,
    env: &Environment,
    name: &str,
    clock: &Clock,
    cooldowns: &Cooldowns,
) -> Result<Target> {
    let Some(section) = config.copies.get(name) else {
        anyhow::bail!("there is no section [copies.{name}] in the configuration");
    };
    let key = config.store_keys(name, env)?;
    tls();
    Ok(Target::new(
        place(section),
        &config.signalwire.project_id,
        &key,
        clock.clone(),
        cooldowns.clone(),
        Patience::default(),
        Throttle::new(section.bandwidth_limit.0, clock.clone()),
    )?)
}

impl Targets {
    /// Those of the configuration, as far as the database knows them.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(
        config: &Config,
        env: &Environment,
        store: &Store,
        clock: &Clock,
        cooldowns: &Cooldowns,
    ) -> store::Result<Self> {
        let mut all = Vec::new();
        if !config.copies.is_empty() {
            for row in store.copy_targets().await? {
                if let Some(section) = config.copies.get(&row.name) {
                    let client = client(config, env, &row, section, clock, cooldowns);
                    all.push(Configured { row, client });
                }
            }
        }
        Ok(Self {
            config: config.clone(),
            all,
        })
    }

    /// Those that can be used: name and client.
    pub fn usable(&self) -> impl Iterator<Item = (String, Target)> {
        self.all.iter().filter_map(|one| {
            let client = one.client.as_ref().ok()?;
            Some((one.row.name.clone(), client.clone()))
        })
    }

    /// Those that can't be used: name and why.
    pub fn unusable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().filter_map(|one| {
            let error = one.client.as_ref().err()?;
            Some((one.row.name.as_str(), error.as_str()))
        })
    }
}

fn client(
    config: &Config,
    env: &Environment,
    row: &TargetRow,
    section: &CopyTarget,
    clock: &Clock,
    cooldowns: &Cooldowns,
) -> Result<Target, String> {
    if row.url != place(section).url() {
        return Err(format!(
            "copies.{} names another place than its copies are in ({}): give the new place a section with a name of its own",
            row.name, row.url
        ));
    }
    target(config, env, &row.name, clock, cooldowns).map_err(|error| format!("{error:#}"))
}

/// Where a target is.
fn place(section: &CopyTarget) -> Place {
    // A configuration that was loaded has no mistakes in these.
    let (bucket, prefix) = section.bucket_and_prefix().unwrap_or_default();
    Place {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: section.endpoint().unwrap_or_default(),
        region: section.region.clone(),
        path_style: section.path_style,
    }
}

impl App {
    /// Writes down which object stores are configured. Without any, and if there never were, nothing is written.
    ///
    /// # Errors
    /// The database's.
    pub async fn configure_targets(&self, config: &Config) -> store::Result<()> {
        if config.copies.is_empty() && self.store.copy_targets().await?.is_empty() {
            return Ok(());
        }
        let names = config.copies.iter().map(|(name, section)| TargetName {
            name: name.clone(),
            url: place(section).url(),
        });
        let names: Vec<_> = names.collect();
        self.store.configure_targets(&names, self.clock.now()).await
    }

    /// The configured object stores.
    ///
    /// # Errors
    /// The database's.
    pub async fn targets(&self, config: &Config, env: &Environment) -> store::Result<Targets> {
        Targets::of(config, env, &self.store, &self.clock, &self.cooldowns).await
    }

    /// What brings files back; `None`: there are no copies.
    #[must_use]
    pub fn fetcher(&self, targets: &Targets) -> Option<Fetcher> {
        let usable: Vec<_> = targets.usable().collect();
        (!usable.is_empty()).then(|| Fetcher {
            store: self.store.clone(),
            root: self.root.clone(),
            targets: usable,
            batches: Batches::default(),
            stop: self.stop.clone(),
            read: Arc::new(|_| {}),
        })
    }

    /// What removes files that have copies.
    #[must_use]
    pub fn evictor(&self, targets: &Targets) -> Evictor {
        let limited = targets.usable().filter_map(|(name, target)| {
            let section = targets.config.copies.get(&name)?;
            match section.keep_local {
                KeepLocal::Forever => None,
                KeepLocal::For(time) => Some((name, target, time)),
            }
        });
        Evictor {
            store: self.store.clone(),
            root: self.root.clone(),
            clock: self.clock.clone(),
            targets: limited.collect(),
            stop: self.stop.clone(),
        }
    }
}
