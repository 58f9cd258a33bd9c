//! Pi, by darts thrown at a square: a source of its own.
//!
//! ```text
//! cargo run --release --example pi -- 100000000 8
//! ```

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::convert::Infallible;
use std::process::ExitCode;

use mesquite::{BoxError, Context, Placed, Source, Task};

/// Darts, in partitions.
struct Darts {
    throws: u64,
    partitions: u64,
}

/// Where darts hit, from a seed: both from -1 to 1.
struct Hits {
    state: u64,
    left: u64,
}

impl Hits {
    /// A number that looks drawn, from -1 to 1 (xorshift64*).
    fn draw(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let drawn = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D);
        (drawn >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

impl Iterator for Hits {
    type Item = Result<(f64, f64), Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(Ok((self.draw(), self.draw())))
    }
}

impl Source for Darts {
    /// A seed, and how many throws.
    type Partition = (u64, u64);
    type Record = (f64, f64);
    type Error = Infallible;

    fn partitions(&self) -> Result<Vec<Placed<(u64, u64)>>, Infallible> {
        let before = |part| self.throws * part / self.partitions;
        let parts = (0..self.partitions).map(|part| {
            let throws = before(part + 1) - before(part);
            // A source that knows where its data lies would name hosts here.
            Placed::from((part + 1, throws))
        });
        Ok(parts.collect())
    }

    fn read(
        &self,
        (seed, left): (u64, u64),
        _: &Task,
    ) -> Result<impl Iterator<Item = Result<(f64, f64), Infallible>> + Send + 'static, Infallible>
    {
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Ok(Hits { state, left })
    }
}

fn pi(cx: &Context) -> Result<(), BoxError> {
    let [throws, partitions] = cx.arguments() else {
        return Err("give how many darts, and in how many partitions".into());
    };
    let (throws, partitions) = (throws.parse()?, partitions.parse()?);
    if partitions == 0 || throws == 0 {
        return Err("there has to be a dart, and a partition".into());
    }
    let darts = cx.source(Darts { throws, partitions });
    let within = darts.filter(|(x, y)| x * x + y * y <= 1.0);
    within.count().then(move |within| {
        println!("{:.3}", 4.0 * within as f64 / throws as f64);
    });
    Ok(())
}

fn main() -> ExitCode {
    mesquite::main(pi)
}
