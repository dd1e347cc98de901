//! One sync at a time: a disk that is slow must not collect threads that wait for it.

use std::cell::Cell;
use std::rc::Rc;

/// Whether one is under way, and whether another one is wanted after it.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    is_running: Cell<bool>,
    is_wanted: Cell<bool>,
}

impl Syncing {
    /// Does what `next` gives on a thread of its own, now, or once more when what is under way has ended. To be called inside a
    /// `LocalSet`.
    pub(super) fn start<W: FnOnce() + Send + 'static>(
        self: &Rc<Self>,
        next: impl Fn() -> Option<W> + 'static,
    ) {
        self.is_wanted.set(true);
        if self.is_running.replace(true) {
            return;
        }
        let own = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while own.is_wanted.take() {
                if let Some(work) = next() {
                    // One that panicked has ended too.
                    let _ = tokio::task::spawn_blocking(work).await;
                }
            }
            own.is_running.set(false);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn however_often_it_is_asked_for_one_is_under_way_and_the_last_wish_is_served() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let syncing = Rc::new(Syncing::default());
            let (now, most, done) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
            let wishes = Rc::new(Cell::new(0));
            let served = Arc::new(AtomicUsize::new(0));
            for _ in 0..100 {
                wishes.set(wishes.get() + 1);
                let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
                let (wishes, served) = (Rc::clone(&wishes), Arc::clone(&served));
                syncing.start(move || {
                    let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
                    let (wish, served) = (wishes.get(), Arc::clone(&served));
                    Some(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(20));
                        served.store(wish, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                        now.fetch_sub(1, Ordering::SeqCst);
                    })
                });
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            while served.load(Ordering::SeqCst) < 100 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(most.load(Ordering::SeqCst), 1);
            assert!(done.load(Ordering::SeqCst) < 100, "many wishes are served by one");
        });
    }
}
