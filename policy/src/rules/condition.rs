//! Conditions of rules: `when = 'args.base == "main"'`, in the Common Expression Language.
//!
//! The evaluator knows no limits of its own, so everything that could make it slow is refused when the policy is read:
//! see `check`. What is left is linear in what a condition looks at, and that is bounded too.

mod check;
mod values;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{Context, Env, ExecutionError, Value, extensions};

use super::item::{Arguments, Circumstances, Item};
use check::Needs;
pub(super) use values::Seen;

/// A compiled condition.
#[derive(Clone)]
pub struct Condition(Arc<Compiled>);

struct Compiled {
    source: String,
    expression: IdedExpr,
    needs: Needs,
}

/// A mistake in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConditionMistake {
    /// Byte offset in the text of the condition.
    pub(crate) at: usize,
    pub(crate) what: String,
    pub(crate) remedy: Option<String>,
}

/// What a condition may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Args,
    Tool,
    Annotations,
    Client,
    User,
    Groups,
    Device,
    Now,
}

/// The functions of the language. Which of them a condition may call is checked when it is compiled.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // It fails only where a name is declared twice; should a version ever do so, the functions are missing then, and
    // conditions that call them cannot be evaluated.
    let _declared = env.add_extension(extensions::strings);
    Arc::new(env)
});

impl Name {
    pub(crate) const ALL: [Self; 8] = [
        Self::Args,
        Self::Tool,
        Self::Annotations,
        Self::Client,
        Self::User,
        Self::Groups,
        Self::Device,
        Self::Now,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Args => "args",
            Self::Tool => "tool",
            Self::Annotations => "annotations",
            Self::Client => "client",
            Self::User => "user",
            Self::Groups => "groups",
            Self::Device => "device",
            Self::Now => "now",
        }
    }

    /// Whether it is known only once there is a session or a call: a server that is about to start is not judged by it.
    fn comes_later(self) -> bool {
        matches!(self, Self::Args | Self::Tool | Self::Annotations | Self::Client)
    }
}

impl Condition {
    /// Compiles, and checks that evaluating it is bounded.
    pub(crate) fn compile(source: &str) -> Result<Self, Vec<ConditionMistake>> {
        let (expression, needs) = check::parse(source)?;
        Ok(Self(Arc::new(Compiled { source: source.to_owned(), expression, needs })))
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    pub(crate) fn asks_for(&self, name: Name) -> bool {
        self.0.needs.names.contains(&name)
    }

    /// Whether something that it asks for is known only later, when there is a call.
    pub(super) fn waits_for_a_call(&self) -> bool {
        self.0.needs.names.iter().any(|name| name.comes_later())
    }

    /// Whether everything that it asks for is known.
    pub(super) fn is_answerable(&self, item: Item<'_>, known: &Circumstances<'_>) -> bool {
        self.0.needs.names.iter().all(|name| match name {
            Name::Args => !matches!(known.arguments, Arguments::Unknown),
            Name::Tool => matches!(item, Item::Tool(_)),
            Name::Annotations => known.annotations.is_some(),
            Name::Client => known.client.is_some(),
            Name::User => known.user.is_some(),
            Name::Groups => known.groups.is_some(),
            Name::Device => known.device.is_some(),
            Name::Now => known.now.is_some(),
        })
    }

    /// Does it hold? `seen` is what conditions have seen of the same call before.
    ///
    /// # Errors
    /// Why that cannot be said, in words that repeat nothing of the call.
    pub(super) fn holds<'a>(
        &self,
        item: Item<'_>,
        known: &Circumstances<'a>,
        seen: &Seen<'a>,
    ) -> Result<bool, Cow<'static, str>> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for name in &self.0.needs.names {
            let value = values::value(*name, &self.0.needs, item, (known, seen))?;
            context.add_variable_from_value(name.word(), value);
        }
        match Value::resolve(&self.0.expression, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(Cow::Borrowed("it gives neither true nor false")),
            Err(error) => Err(self.in_words(&error)),
        }
    }

    /// The library's errors show values of the call; these do not. A key is named only if the condition names it.
    fn in_words(&self, error: &ExecutionError) -> Cow<'static, str> {
        match error {
            ExecutionError::NoSuchKey(key) if self.0.needs.keys.contains(key.as_str()) => {
                Cow::Owned(format!("there is no `{key}`"))
            }
            ExecutionError::NoSuchKey(_) => Cow::Borrowed("it asks for a key that is not there"),
            ExecutionError::IndexOutOfBounds(_) => Cow::Borrowed("it asks for an element that is not there"),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                Cow::Borrowed("it divides by zero")
            }
            ExecutionError::Overflow(..) => Cow::Borrowed("a number in it becomes too large"),
            _ => Cow::Borrowed("it compares or combines values of kinds that do not go together"),
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl Eq for Condition {}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.0.source).finish()
    }
}

#[cfg(test)]
mod tests;
