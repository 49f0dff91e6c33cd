/// The policies are more than an image can hold.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Atoms are numbered with 16 bits.
    #[error(
        "the policies tell {atoms} kinds of addresses apart, and an image holds {most}; the largest \
         contributor is {largest}: split its lists over several nodes or use `regions`"
    )]
    TooManyAtoms {
        /// How many there would be.
        atoms: usize,
        /// How many fit.
        most: usize,
        /// The peer with the most networks and ASNs.
        largest: String,
    },
    /// Rules are numbered with 16 bits.
    #[error("{rules} rules, and an image holds {most}; the largest contributor is {largest}")]
    TooManyRules {
        /// How many there are.
        rules: usize,
        /// How many fit.
        most: usize,
        /// The policy with the most rules.
        largest: String,
    },
    /// Classes are entries of page 0.
    #[error(
        "workloads fall into {classes} classes (different sets of policies), and an image holds \
         {most}; use fewer, broader selectors"
    )]
    TooManyClasses {
        /// How many there are.
        classes: usize,
        /// How many fit.
        most: usize,
    },
    /// Tables are found by an 8-bit page number.
    #[error(
        "the address tables need {pages} pages of 256 KiB, and an image holds {most}; the largest \
         contributor is {largest}"
    )]
    TooManyPages {
        /// How many were needed when it was given up.
        pages: usize,
        /// How many fit.
        most: usize,
        /// The peer with the most networks.
        largest: String,
    },
    /// Prefixes are entries of page 0.
    #[error("{prefixes} NAT64 prefixes, and an image holds {most}")]
    TooManyNat64Prefixes {
        /// How many there are.
        prefixes: usize,
        /// How many fit.
        most: usize,
    },
    /// Name sets are numbered with 16 bits.
    #[error(
        "the policies tell {sets} kinds of names apart, and an image holds {most}; the longest list \
         has {largest} names: name the same lists in several rules rather than parts of them"
    )]
    TooManyNameSets {
        /// How many there would be.
        sets: usize,
        /// How many fit.
        most: usize,
        /// Names of the longest list.
        largest: usize,
    },
    /// Conditions of one class are bits of a mask.
    #[error(
        "the policies of one workload have {conditions} different lists of names, and {most} fit; \
         the largest contributor is {largest}: put names with the same rules into one list"
    )]
    TooManyNameConditions {
        /// How many there are.
        conditions: usize,
        /// How many fit.
        most: usize,
        /// The policy with the most.
        largest: String,
    },
    /// A decision tests names at most that often.
    #[error(
        "rules with names that follow each other need {steps} tests, and a decision makes {most}; \
         the largest contributor is {largest}: put names with the same rules into one list"
    )]
    ChainTooLong {
        /// Tests on the longest way.
        steps: u32,
        /// How many fit.
        most: u32,
        /// The policy with the most rules there.
        largest: String,
    },
    /// A class has a few resolvers.
    #[error("policy `{policy}` has {resolvers} resolvers with those of the node, and {most} fit")]
    TooManyResolvers {
        /// The policy.
        policy: String,
        /// How many there are.
        resolvers: usize,
        /// How many fit.
        most: usize,
    },
}
