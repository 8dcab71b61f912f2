//! The table of keys: one line for each key gives its name, type, default and form, and if it does
//! not always count, when it does; from it follow reading, rendering, suggestions, variables,
//! warnings and the test of `applications.toml`.

use toml::de::DeValue;

use super::form::Form;
use super::needs::Needs;

/// Defines a struct and its keys. A default is written as in an `EVENLY_*` variable, so that code,
/// documentation, file and variable say it in the same words. `when` has what else must hold for a
/// key, or for all of a table, to mean something. With `for` in place of `struct` it is one that
/// another room has defined, with its defaults; those stand here as well, and a test compares them.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $vis:vis struct $Table:ident $(when($($all:expr),+))? {
            $(
                $(#[$about:meta])*
                $key:ident: $Type:ty = $default:literal, $form:expr $(, when($($one:expr),+))?;
            )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $Table {
            $(
                $(#[$about])*
                #[doc = ""]
                #[doc = concat!("Default: `", $default, "`.")]
                $vis $key: $Type,
            )*
        }

        impl Default for $Table {
            fn default() -> Self {
                Self { $($key: Form::<$Type>::default(&$form, $default),)* }
            }
        }

        table! {
            for $Table $(when($($all),+))? {
                $($key: $Type = $default, $form $(, when($($one),+))?;)*
            }
        }
    };
    (
        for $Table:ident $(when($($all:expr),+))? {
            $($key:ident: $Type:ty = $default:literal, $form:expr $(, when($($one:expr),+))?;)*
        }
    ) => {
        impl Table for $Table {
            fn each(&mut self, visit: &mut dyn FnMut(&'static str, &mut dyn Field)) {
                $(
                    let slot: &mut $Type = &mut self.$key;
                    visit(stringify!($key), &mut Slot { slot, form: $form, default: $default });
                )*
            }

            fn needs(&self) -> Needs {
                const TABLE: &[Need] = &[$($($all),+)?];
                const KEYS: &[(&str, &[Need])] =
                    &[$((stringify!($key), &[$($($one),+)?])),*];
                Needs { table: TABLE, keys: KEYS }
            }
        }
    };
}
pub(super) use table;

/// A table of the configuration, as a sequence of its keys.
pub(super) trait Table {
    /// Visits every key in the order of the documentation.
    fn each(&mut self, visit: &mut dyn FnMut(&'static str, &mut dyn Field));
    /// When its keys count.
    fn needs(&self) -> Needs;
}

/// A key's value, whatever its type.
pub(super) trait Field {
    /// Takes a value of the file.
    fn read(&mut self, value: &DeValue<'_>) -> Result<(), String>;
    /// Takes a bare text, of a variable or a flag.
    fn read_text(&mut self, text: &str) -> Result<(), String>;
    /// The TOML that such a text stands for.
    #[cfg(feature = "client")]
    fn spell(&self, text: &str) -> String;
    /// As a TOML value; none when it is not set.
    fn write(&self) -> Option<String>;
    /// Nobody else is to see it.
    fn is_secret(&self) -> bool;
    /// The default as documented.
    fn default(&self) -> &'static str;
}

/// The field of a struct, bound to its form.
pub(super) struct Slot<'s, T, K> {
    pub(super) slot: &'s mut T,
    pub(super) form: K,
    pub(super) default: &'static str,
}

impl<T, K: Form<T>> Field for Slot<'_, T, K> {
    fn read(&mut self, value: &DeValue<'_>) -> Result<(), String> {
        *self.slot = self.form.read(value)?;
        Ok(())
    }

    fn read_text(&mut self, text: &str) -> Result<(), String> {
        *self.slot = self.form.read(&self.form.spell(text))?;
        Ok(())
    }

    #[cfg(feature = "client")]
    fn spell(&self, text: &str) -> String {
        match self.form.spell(text) {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => text.to_string(),
            _ => super::quote(text),
        }
    }

    fn write(&self) -> Option<String> {
        self.form.write(self.slot)
    }

    fn is_secret(&self) -> bool {
        K::IS_SECRET
    }

    fn default(&self) -> &'static str {
        self.default
    }
}
