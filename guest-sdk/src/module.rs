//! Where a module meets the host: the exports of `hookwire:rule/actions`.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::hookwire::rule::actions as wit;
use crate::instance::{Instance, ModuleActions};
use crate::panic::install_hook;

/// Declares a module: what it is called, and which actions it exports.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # #[action(hook = "client.connected")]
/// # fn greet(_: &Context, _: &Client) {}
/// hookwire_sdk::module! { name: "greeter", actions: [greet] }
/// ```
///
/// Written once, at the root of a crate whose `crate-type` holds `cdylib`. The
/// version is the crate's own. It adds a type `Module`, which tests hand to
/// [`testing::Instance`](crate::testing::Instance).
#[macro_export]
macro_rules! module {
    (name: $name:literal, actions: [$($action:ty),+ $(,)?] $(,)?) => {
        /// This module: its name, version and actions.
        #[derive(Debug, Clone, Copy)]
        pub struct Module;

        impl $crate::expansion::ModuleActions for Module {
            const NAME: &'static str = $name;
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
            const ACTIONS: &'static [$crate::expansion::Action] = &[$(<$action>::ACTION),+];
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exporting to the host takes symbols of fixed names")]
        const _: () = {
            type Exports = $crate::expansion::Guest<Module>;
            $crate::bindings::export_module!(Exports with_types_in $crate::bindings);
        };
    };
}

thread_local! {
    /// The module's one instance: the host gives every lane its own memory.
    static INSTANCE: RefCell<Option<Instance>> = const { RefCell::new(None) };
}

/// The exports of a module whose actions are those of `M`.
#[derive(Debug)]
pub struct Guest<M>(PhantomData<M>);

impl<M: ModuleActions> wit::Guest for Guest<M> {
    fn describe() -> wit::Manifest {
        install_hook();
        Instance::describe::<M>()
    }

    fn configure(setting: wit::Setting) -> Result<Vec<wit::ConfigError>, Vec<wit::ConfigError>> {
        install_hook();
        let (instance, warnings) = Instance::configure::<M>(setting)?;
        INSTANCE.set(Some(instance));
        Ok(warnings)
    }

    fn handle(events: Vec<wit::Event>, calls: Vec<wit::Call>) -> Vec<wit::Settled> {
        INSTANCE.with_borrow(|instance| match instance {
            Some(instance) => instance.handle(&events, &calls),
            None => Instance::unconfigured(&calls),
        })
    }
}
