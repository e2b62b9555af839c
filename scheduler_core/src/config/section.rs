//! The macro that turns one list of settings into typed structs and a table.

use std::net::SocketAddr;
use std::time::Duration;

use super::check::Checked;
use super::types::{Lanes, ListenAt, Secret, SecretUrl};
use crate::telemetry::LogFormat;

/// A program that reads settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `task_scheduler_api`
    Api,
    /// `task_recurrence_manager`
    Recurrence,
    /// `queue_populator`
    Populator,
    /// `task_executor`
    Executor,
    /// `task_failure_watcher`
    Watcher,
    /// `scheduler`, the command line
    Cli,
}

impl Service {
    /// All of them.
    pub const ALL: &'static [Service] =
        &[Service::Api, Service::Recurrence, Service::Populator, Service::Executor, Service::Watcher, Service::Cli];

    /// The five that run for ever.
    pub const DAEMONS: &'static [Service] =
        &[Service::Api, Service::Recurrence, Service::Populator, Service::Executor, Service::Watcher];

    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Service::Api => "task_scheduler_api",
            Service::Recurrence => "task_recurrence_manager",
            Service::Populator => "queue_populator",
            Service::Executor => "task_executor",
            Service::Watcher => "task_failure_watcher",
            Service::Cli => "scheduler",
        }
    }
}

/// A group of settings with a common first word.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The first word.
    pub name: &'static str,
    /// What the group is about.
    pub doc: &'static str,
    /// Who reads it.
    pub services: &'static [Service],
}

/// Checked values on their way into the structs.
pub trait Values {
    /// The value of a setting. Every declared setting has one, because defaults are checked too.
    fn value(&self, name: &'static str) -> &Checked;
}

/// How a field takes its checked value. A kind that does not fit the type of the field is a
/// mistake in the table, which the test of the defaults finds.
pub trait FromChecked: Sized {
    /// The value as this type, `None` when kind and type do not fit.
    fn from_checked(value: &Checked) -> Option<Self>;
}

macro_rules! from_integer {
    ($($type:ty),*) => { $(
        impl FromChecked for $type {
            fn from_checked(value: &Checked) -> Option<Self> {
                match value {
                    Checked::Integer(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        }
    )* };
}
from_integer!(u16, u32, u64, usize, i32, i64);

macro_rules! from_same {
    ($($type:ty => $variant:ident),*) => { $(
        impl FromChecked for $type {
            fn from_checked(value: &Checked) -> Option<Self> {
                match value {
                    Checked::$variant(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    )* };
}
from_same!(f64 => Decimal, Duration => Duration, bool => Bool, String => Text, Lanes => Lanes);

macro_rules! from_text {
    ($($type:ty => $read:expr),*) => { $(
        impl FromChecked for $type {
            fn from_checked(value: &Checked) -> Option<Self> {
                match value {
                    Checked::Text(text) => ($read)(text.as_str()),
                    _ => None,
                }
            }
        }
    )* };
}
from_text!(
    SocketAddr => |text: &str| text.parse().ok(),
    ListenAt => ListenAt::parse,
    SecretUrl => |text: &str| Some(SecretUrl::new(text)),
    Option<Secret> => |text: &str| Some((!text.is_empty()).then(|| Secret::new(text))),
    Option<SecretUrl> => |text: &str| Some((!text.is_empty()).then(|| SecretUrl::new(text))),
    LogFormat => LogFormat::parse
);

/// Declares every setting once. From the list come the struct of all settings, a struct per
/// section, [`SETTINGS`](super::SETTINGS) and [`SECTIONS`](super::SECTIONS).
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $field:ident: $section:ident = $prefix:literal for $services:expr => {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $key:literal, $default:literal, $kind:expr;
            )+
        }
    )+) => {
        /// Every setting, checked and typed.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $( $(#[doc = $section_doc])+ pub $field: $section, )+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $section {
                $( $(#[doc = $doc])+ pub $name: $type, )+
            }
        )+

        impl Settings {
            pub(super) fn from_values(values: &impl $crate::config::section::Values) -> Self {
                Self { $( $field: $section { $( $name: {
                    let name = concat!($prefix, ".", $key);
                    <$type as $crate::config::section::FromChecked>::from_checked(values.value(name))
                        .unwrap_or_else(|| panic!("{name}: its kind does not fit its type"))
                }, )+ }, )+ }
            }
        }

        /// The table of every setting.
        pub const SETTINGS: &[Setting] = &[ $( $( Setting {
            name: concat!($prefix, ".", $key),
            default: $default,
            kind: $kind,
            doc: concat!($($doc, "\n"),+),
            services: $services,
        }, )+ )+ ];

        /// The sections, in the order of the reference.
        pub const SECTIONS: &[Section] = &[ $( Section {
            name: $prefix,
            doc: concat!($($section_doc, "\n"),+),
            services: $services,
        }, )+ ];
    };
}
pub(super) use settings;
