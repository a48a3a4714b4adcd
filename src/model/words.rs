//! Enums whose values have fixed words for the database, the views, metrics, JSON and the command line.

/// A word that names no value of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct UnknownWord(pub(crate) &'static str);

/// Defines such an enum. `what` is the end of the sentence "this is not …".
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident ($what:literal) { $($(#[$meaning:meta])* $value:ident = $word:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$meaning])* $value,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            /// The value's word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownWord;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                let found = Self::ALL.into_iter().find(|value| value.as_str() == text);
                found.ok_or($crate::model::UnknownWord($what))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// An example.
        pub enum Size ("a size") {
            /// Small.
            Small = "small",
            /// Large.
            Large = "large",
        }
    }

    #[test]
    fn values_are_read_back_from_their_words_and_keep_their_order() {
        for size in Size::ALL {
            assert_eq!(size.as_str().parse(), Ok(size));
        }
        assert!(Size::ALL.is_sorted());
        assert_eq!("Small".parse::<Size>(), Err(UnknownWord("a size")));
        assert_eq!(serde_json::to_string(&Size::Large).unwrap(), "\"large\"");
    }
}
