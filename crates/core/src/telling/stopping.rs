//! Words for executors that are told to end, and for those that are refused.

use crate::driver::instruction::WhyStop;
use crate::facts::misfit::Misfit;

/// Why an executor is to end, for whoever reads its log.
pub fn stops(why: &WhyStop) -> String {
    let why = match why {
        WhyStop::Unwanted => "the driver wants it ended",
        WhyStop::Idle => "it has nothing to do",
        WhyStop::GivenUp => "the driver has given it up",
        WhyStop::NotExpected => "the driver does not expect it, or has given it up",
        WhyStop::NameTaken => "an executor of this name is registered already",
        WhyStop::HostExcluded => "its host is excluded after failures",
        WhyStop::Misfit(misfit) => return misfits(misfit),
    };
    why.to_owned()
}

/// What an executor says that cannot be.
pub fn misfits(misfit: &Misfit) -> String {
    match misfit {
        Misfit::Name { is, says } => format!("it is executor {is}, and says that it is {says}"),
        Misfit::Cores { launched, says } => {
            format!("it says that it has {says} cores, and was launched with {launched}")
        }
        Misfit::Port(port) => format!("it says that it serves its blocks at port {port}"),
        Misfit::Attempts(count) => format!("it says that it has {count} attempts"),
    }
}
