//! Whether the client has left: set once, awaited by many.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::AbortSignal;

/// Set by the first write that fails, or by the request's signal, which the runtime raises for a reset
/// connection at once and for a closed one never.
#[derive(Default)]
pub struct Gone {
    set: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Gone {
    /// The client has left.
    pub fn set(&self) {
        self.set.set(true);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// Whether it has left.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Resolves when it has left.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.set.get() {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Listens to a request's signal until it is dropped.
pub struct Listener {
    signal: AbortSignal,
    _closure: Closure<dyn FnMut()>,
}

impl Listener {
    /// Sets `gone` when `signal` is raised.
    pub fn new(signal: AbortSignal, gone: Rc<Gone>) -> Self {
        if signal.aborted() {
            gone.set();
        }
        let closure = Closure::<dyn FnMut()>::new(move || gone.set());
        signal.set_onabort(Some(closure.as_ref().unchecked_ref()));
        Self { signal, _closure: closure }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}
