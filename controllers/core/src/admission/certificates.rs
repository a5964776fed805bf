//! When which certificate of the webhooks is made: an authority of ours, and one certificate that it signs, which every replica
//! serves. Times are seconds since 1970.
//!
//! No moment is without a certificate that the apiserver trusts, however many replicas there are and whenever they notice:
//! a new authority is *staged* first, which means only trusted beside the old one; only when the apiserver has been told for a
//! while is it *promoted*, and signs. The old one stays trusted until it expires, which none of its certificates outlives, so a
//! replica that still serves one of those is trusted as long as that is valid.

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

/// How long things last, in seconds. All of it follows from how long a served certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of a certificate that is served.
    pub leaf: i64,
    /// Of an authority.
    pub authority: i64,
    /// A certificate is renewed when no more than that is left of it.
    pub renewal: i64,
    /// How long the apiserver has known a new authority before that signs; it learns of it by a watch.
    pub settling: i64,
    /// How far certificates are dated back, for clocks that are slow.
    pub backdating: i64,
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The authority that signs.
    pub authority: Validity,
    /// The one that will.
    pub staged: Option<Validity>,
    /// Those that have been, and are still trusted.
    pub previous: Vec<Validity>,
    /// The certificate that is served; none if it is not signed by the authority, or not for the names that we are called by.
    pub leaf: Option<Validity>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make an authority and a certificate: there is nothing that could be used.
    Begin,
    /// Make an authority that is trusted and does not sign yet.
    Stage,
    /// Let the staged authority sign a certificate, and keep the present one among the previous.
    Promote,
    /// Let the authority sign another certificate.
    Renew,
    /// Drop the previous authorities that have expired.
    Forget,
    /// Nothing, until this time at the latest.
    Wait(i64),
}

impl Validity {
    /// Whether it is valid at a time.
    pub fn holds(self, now: i64) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

impl Lifetimes {
    /// Those that follow from the lifetime of a served certificate, at least ten seconds.
    pub fn of(leaf: i64) -> Self {
        let leaf = leaf.max(10);
        Self {
            leaf,
            authority: leaf * 4,
            renewal: leaf / 3,
            settling: (leaf / 20).clamp(1, 60),
            backdating: (leaf / 10).min(3600),
        }
    }

    /// The validity of a new authority.
    pub fn new_authority(self, now: i64) -> Validity {
        Validity {
            not_before: now - self.backdating,
            not_after: now + self.authority,
        }
    }

    /// The validity of a certificate that an authority signs, which it never outlives.
    pub fn new_leaf(self, now: i64, authority: Validity) -> Validity {
        Validity {
            not_before: (now - self.backdating).max(authority.not_before),
            not_after: (now + self.leaf).min(authority.not_after),
        }
    }

    /// When a new authority is due: early enough that the present one could still sign a certificate of full length.
    fn staging_due(self, authority: Validity) -> i64 {
        authority.not_after - self.leaf - self.renewal
    }
}

/// What to do with `state` (none if there is nothing that can be read) at a time. `told_since` is since when the apiserver has
/// been seen to trust the staged authority, if it does.
pub fn decide(state: Option<&State>, told_since: Option<i64>, lifetimes: Lifetimes, now: i64) -> Step {
    let Some(state) = state.filter(|state| state.authority.holds(now)) else {
        return Step::Begin;
    };
    if state.staged.is_some_and(|staged| staged.holds(now)) {
        let promotion = told_since.map(|since| since + lifetimes.settling);
        if promotion.is_some_and(|at| at <= now) {
            return Step::Promote;
        }
        let look_again = promotion.unwrap_or(now + 1);
        return renewal(state, lifetimes, now).unwrap_or(Step::Wait(look_again));
    }
    if lifetimes.staging_due(state.authority) <= now {
        return Step::Stage;
    }
    if let Some(step) = renewal(state, lifetimes, now) {
        return step;
    }
    if state.previous.iter().any(|authority| authority.not_after < now) {
        return Step::Forget;
    }
    let previous = state.previous.iter().map(|authority| authority.not_after + 1);
    let leaf = state.leaf.map(|leaf| leaf.not_after - lifetimes.renewal);
    let times = previous.chain(leaf).chain([lifetimes.staging_due(state.authority)]);
    Step::Wait(times.min().unwrap_or(now).max(now + 1))
}

fn renewal(state: &State, lifetimes: Lifetimes, now: i64) -> Option<Step> {
    let is_fresh = |leaf: Validity| {
        // One that ends with its authority cannot become longer.
        leaf.holds(now) && (leaf.not_after - lifetimes.renewal > now || leaf.not_after >= state.authority.not_after)
    };
    (!state.leaf.is_some_and(is_fresh)).then_some(Step::Renew)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        leaf: 300,
        authority: 1200,
        renewal: 100,
        settling: 15,
        backdating: 30,
    };

    fn state(authority: (i64, i64), leaf: Option<(i64, i64)>) -> State {
        let validity = |(not_before, not_after)| Validity { not_before, not_after };
        State {
            authority: validity(authority),
            staged: None,
            previous: Vec::new(),
            leaf: leaf.map(validity),
        }
    }

    #[test]
    fn lifetimes_follow_from_that_of_a_certificate() {
        assert_eq!(Lifetimes::of(300), LIFETIMES);
        let days = Lifetimes::of(90 * 86_400);
        assert_eq!((days.settling, days.backdating), (60, 3600));
    }

    #[test]
    fn without_anything_usable_it_begins() {
        assert_eq!(decide(None, None, LIFETIMES, 0), Step::Begin);
        let expired = state((0, 10), Some((0, 10)));
        assert_eq!(decide(Some(&expired), None, LIFETIMES, 11), Step::Begin);
        let of_the_future = state((20, 1000), Some((20, 300)));
        assert_eq!(decide(Some(&of_the_future), None, LIFETIMES, 11), Step::Begin);
    }

    #[test]
    fn a_certificate_is_renewed_before_it_expires() {
        let fresh = state((0, 1200), Some((0, 300)));
        assert_eq!(decide(Some(&fresh), None, LIFETIMES, 100), Step::Wait(200));
        assert_eq!(decide(Some(&fresh), None, LIFETIMES, 200), Step::Renew);
        let none = state((0, 1200), None);
        assert_eq!(decide(Some(&none), None, LIFETIMES, 0), Step::Renew);
    }

    #[test]
    fn a_new_authority_signs_only_when_it_is_known() {
        let mut state = state((0, 1200), Some((600, 900)));
        assert_eq!(decide(Some(&state), None, LIFETIMES, 800), Step::Stage);
        state.staged = Some(LIFETIMES.new_authority(800));
        state.leaf = Some(Validity {
            not_before: 700,
            not_after: 1000,
        });
        assert_eq!(decide(Some(&state), None, LIFETIMES, 800), Step::Wait(801));
        assert_eq!(decide(Some(&state), Some(801), LIFETIMES, 802), Step::Wait(816));
        assert_eq!(decide(Some(&state), Some(801), LIFETIMES, 816), Step::Promote);
        state.leaf = None;
        assert_eq!(decide(Some(&state), Some(801), LIFETIMES, 802), Step::Renew);
    }

    #[test]
    fn an_old_authority_is_trusted_until_it_expires() {
        let mut state = state((1000, 2200), Some((1000, 1300)));
        state.previous = vec![Validity {
            not_before: 0,
            not_after: 1150,
        }];
        assert_eq!(decide(Some(&state), None, LIFETIMES, 1100), Step::Wait(1151));
        assert_eq!(decide(Some(&state), None, LIFETIMES, 1151), Step::Forget);
    }

    /// A replica: what it serves, as the index of the authority that signed it, and until when that is valid.
    #[derive(Clone, Copy)]
    struct Served {
        authority: usize,
        not_after: i64,
    }

    /// A simulated cluster: authorities by index, the apiserver's bundle, and what each replica serves.
    struct Cluster {
        state: Option<State>,
        authorities: Vec<Validity>,
        current: usize,
        staged: Option<usize>,
        trusted: Vec<usize>,
        told: Option<(usize, i64)>,
    }

    impl Cluster {
        fn apply(&mut self, step: Step, now: i64) {
            match step {
                Step::Begin => {
                    self.authorities.push(LIFETIMES.new_authority(now));
                    self.current = self.authorities.len() - 1;
                    let authority = self.authorities[self.current];
                    let leaf = Some(LIFETIMES.new_leaf(now, authority));
                    self.state = Some(State {
                        authority,
                        staged: None,
                        previous: Vec::new(),
                        leaf,
                    });
                    // Nothing was asked before.
                    self.trusted = vec![self.current];
                }
                Step::Stage => {
                    self.authorities.push(LIFETIMES.new_authority(now));
                    self.staged = Some(self.authorities.len() - 1);
                    if let Some(state) = &mut self.state {
                        state.staged = self.authorities.last().copied();
                    }
                }
                Step::Promote => {
                    let Some((state, staged)) = self.state.as_mut().zip(self.staged.take()) else {
                        return;
                    };
                    state.previous.push(state.authority);
                    self.current = staged;
                    state.authority = self.authorities[staged];
                    state.staged = None;
                    state.leaf = Some(LIFETIMES.new_leaf(now, state.authority));
                }
                Step::Renew => {
                    if let Some(state) = &mut self.state {
                        state.leaf = Some(LIFETIMES.new_leaf(now, state.authority));
                    }
                }
                Step::Forget => {
                    if let Some(state) = &mut self.state {
                        state.previous.retain(|authority| authority.not_after >= now);
                    }
                }
                Step::Wait(_) => {}
            }
        }

        /// The apiserver learns the bundle that follows from the state.
        fn tell(&mut self, now: i64) {
            let Some(state) = &self.state else { return };
            let is_trusted = |validity: &Validity| {
                state.authority == *validity || state.staged == Some(*validity) || state.previous.contains(validity)
            };
            let all = self.authorities.iter().enumerate();
            self.trusted = all
                .filter(|(_, validity)| is_trusted(validity))
                .map(|(index, _)| index)
                .collect();
            if let Some(staged) = self.staged
                && self.told.is_none_or(|(told, _)| told != staged)
            {
                self.told = Some((staged, now));
            }
        }
    }

    proptest! {
        /// Whenever the one that decides looks, and however late replicas and apiserver learn (within the time that is meant for
        /// it), every replica serves what the apiserver trusts.
        #[test]
        fn there_is_no_gap(looks in prop::collection::vec((1_i64..30, 0_i64..14), 100..300)) {
            let mut now = 10_000;
            let mut cluster = Cluster {
                state: None, authorities: Vec::new(), current: 0, staged: None, trusted: Vec::new(), told: None,
            };
            let mut served: Option<Served> = None;
            for (pause, lag) in looks {
                for _ in 0..4 {
                    let told = cluster.told.filter(|(told, _)| cluster.staged == Some(*told)).map(|(_, at)| at);
                    let step = decide(cluster.state.as_ref(), told, LIFETIMES, now);
                    let is_first = served.is_none();
                    cluster.apply(step, now);
                    // Before anybody has learned of it, what was served until now must be trusted still.
                    if let Some(served) = served {
                        prop_assert!(served.not_after >= now && cluster.trusted.contains(&served.authority));
                    }
                    if is_first || lag > 4 {
                        let leaf = cluster.state.as_ref().and_then(|state| state.leaf).unwrap();
                        served = Some(Served { authority: cluster.current, not_after: leaf.not_after });
                    }
                    cluster.tell(now);
                    if let Some(served) = served {
                        prop_assert!(served.not_after >= now && cluster.trusted.contains(&served.authority));
                    }
                    let leaf = cluster.state.as_ref().and_then(|state| state.leaf).unwrap();
                    served = Some(Served { authority: cluster.current, not_after: leaf.not_after });
                }
                now += pause;
            }
        }
    }
}
