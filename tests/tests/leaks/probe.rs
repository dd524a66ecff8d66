//! What can be seen of a value, whatever its type: everything that it implements of what shows a value.

use std::error::Error;
use std::fmt::{Debug, Display};

/// A value to be looked at. The methods are those of the type where it has what it takes, else those of [`Without`]:
/// the compiler prefers the former.
pub(crate) struct Probe<'a, T>(pub(crate) &'a T);

impl<T: Debug> Probe<'_, T> {
    pub(crate) fn debug(&self) -> String {
        format!("{0:?} {0:#?}", self.0)
    }
}

impl<T: Display> Probe<'_, T> {
    pub(crate) fn display(&self) -> String {
        format!("{0} {0:#}", self.0)
    }
}

impl<T: Error> Probe<'_, T> {
    pub(crate) fn sources(&self) -> String {
        chain(self.0)
    }
}

/// An error and all that caused it, to the end.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?} {error:#?}");
        source = error.source();
    }
    text
}

pub(crate) trait Without {
    fn debug(&self) -> String {
        String::new()
    }
    fn display(&self) -> String {
        String::new()
    }
    fn sources(&self) -> String {
        String::new()
    }
}

impl<T> Without for Probe<'_, T> {}

/// All that is to be seen of a value.
macro_rules! seen {
    ($value:expr) => {{
        #[allow(unused_imports, reason = "used where the type lacks something")]
        use $crate::probe::Without as _;
        let value = $value;
        let probe = $crate::probe::Probe(&value);
        format!("{} {} {}", probe.debug(), probe.display(), probe.sources())
    }};
}

/// Whether a type implements a trait, told at compile time.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "used where the type lacks the trait")]
        trait Otherwise {
            const IS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        #[allow(dead_code, reason = "used where the type implements the trait")]
        struct Asked<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used where the type implements the trait")]
        impl<T: ?Sized + $($bound)+> Asked<T> {
            const IS: bool = true;
        }
        <Asked<$type>>::IS
    }};
}

pub(crate) use {implements, seen};
