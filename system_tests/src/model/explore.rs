//! Visits every state.

use super::state::State;
use super::{Model, Steps, promises};
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// What the exploration found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The first promise that was found broken, and the actions that lead there, as few as there can be.
    pub violation: Option<(&'static str, Vec<&'static str>)>,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} steps, ", self.states, self.steps)?;
        match &self.violation {
            None => write!(f, "no promise broken"),
            Some((promise, way)) => write!(f, "broken: {promise}, by {}", way.join(" → ")),
        }
    }
}

/// States in the order of their distance from the first, and how each was reached.
#[derive(Default)]
struct Graph {
    states: Vec<State>,
    numbers: HashMap<State, u32>,
    /// The state before, and the action between.
    reached: Vec<(u32, &'static str)>,
    /// Steps that help along, as (to, from).
    calm: Vec<(u32, u32)>,
    steps: usize,
}

impl Graph {
    /// The number of a state, and whether it is new.
    fn number(&mut self, state: State, from: u32, action: &'static str) -> (u32, bool) {
        let next = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(state).or_insert(next);
        if number == next {
            self.states.push(state);
            self.reached.push((from, action));
        }
        (number, number == next)
    }

    fn way(&self, mut number: u32) -> Vec<&'static str> {
        let mut way = Vec::new();
        while number != 0 {
            let (from, action) = self.reached[number as usize];
            way.push(action);
            number = from;
        }
        way.reverse();
        way
    }

    /// The first state from which the job cannot come to its end any more, even if nothing goes wrong from there on.
    fn stuck(&mut self) -> Option<u32> {
        self.calm.sort_unstable();
        let mut ends = vec![false; self.states.len()];
        let mut open: Vec<u32> = Vec::new();
        for (number, _) in self.states.iter().enumerate().filter(|(_, state)| state.is_over()) {
            ends[number] = true;
            open.push(u32::try_from(number).unwrap_or(u32::MAX));
        }
        while let Some(to) = open.pop() {
            let first = self.calm.partition_point(|(target, _)| *target < to);
            for (_, from) in self.calm[first..].iter().take_while(|(target, _)| *target == to) {
                if !std::mem::replace(&mut ends[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        ends.iter().position(|ends| !ends).and_then(|number| u32::try_from(number).ok())
    }
}

/// Visits every state, breadth first, and stops at the first that breaks a promise.
pub fn explore(model: &Model) -> Explored {
    let mut graph = Graph::default();
    graph.number(State::start(model.faults).canonical(), 0, "");
    let mut open = VecDeque::from([0_u32]);
    let explored = |graph: &Graph, violation| Explored { states: graph.states.len(), steps: graph.steps, violation };
    while let Some(number) = open.pop_front() {
        let state = graph.states[number as usize];
        if let Some(promise) = promises::broken(&state) {
            return explored(&graph, Some((promise, graph.way(number))));
        }
        for (act, next) in Steps::after(&state, model.flaw) {
            graph.steps += 1;
            let (next, is_new) = graph.number(next, number, act.name());
            if is_new {
                open.push_back(next);
            }
            if act.helps() {
                graph.calm.push((next, number));
            }
        }
    }
    let stuck = graph.stuck();
    let violation = stuck.map(|number| ("every job comes to its end", graph.way(number)));
    explored(&graph, violation)
}
