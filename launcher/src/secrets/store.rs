//! What the helper asks, by the system: on Linux the Secret Service (freedesktop.org, Secret Service API 0.2).

pub(super) use system::answer;

#[cfg(all(feature = "keychain", target_os = "linux"))]
mod system {
    use std::sync::Arc;

    use dbus_secret_service_keyring_store::Store;
    use keyring_core::{CredentialStore, Entry, Error};

    use crate::secrets::keychain::{Answer, Op};

    const SERVICE: &str = "stockade";

    pub(in crate::secrets) fn answer(op: &Op) -> Answer {
        let store: Arc<CredentialStore> = Store::new().map_err(|error| told(&error))?;
        let entry = |name: &str| Entry::new_in_store(&store, SERVICE, name).map_err(|error| told(&error));
        match op {
            Op::Get { names } => names
                .iter()
                .map(|name| match entry(name)?.get_password() {
                    Ok(item) => Ok(Some(item)),
                    Err(Error::NoEntry) => Ok(None),
                    Err(error) => Err(told(&error)),
                })
                .collect(),
            Op::Set { name, item } => {
                entry(name)?.set_password(item).map(|()| Vec::new()).map_err(|error| told(&error))
            }
            Op::Delete { name } => match entry(name)?.delete_credential() {
                Ok(()) | Err(Error::NoEntry) => Ok(Vec::new()),
                Err(error) => Err(told(&error)),
            },
        }
    }

    fn told(error: &Error) -> String {
        // Others could hold what they could not read.
        match error {
            Error::PlatformFailure(why) | Error::NoStorageAccess(why) => {
                let why = why.to_string();
                // dbus-secret-service's word for a service without a default collection.
                let has_none = why.ends_with("no result found");
                if has_none {
                    "it has no keyring of yours yet: make one with its own program, and make it the default"
                        .to_owned()
                } else {
                    why
                }
            }
            Error::BadEncoding(_) | Error::BadDataFormat(..) => "what lies there is no text".to_owned(),
            Error::Ambiguous(_) => "it has several items of this name".to_owned(),
            other => other.to_string(),
        }
    }
}

#[cfg(not(all(feature = "keychain", target_os = "linux")))]
mod system {
    use crate::secrets::keychain::{Answer, Op};

    pub(in crate::secrets) fn answer(_: &Op) -> Answer {
        Err("this build knows no keychain (feature `keychain`, Linux)".to_owned())
    }
}
