//! Where executors connect.
//!
//! Responsible for turning connections into [`Input`]s: a peer that proves the
//! secret and registers is an executor, until its connection ends or it has been
//! silent for too long (executors send heartbeats).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::cluster::ClusterInput;
use super::input::{CommitAnswer, Input};
use crate::ids::{ExecutorId, Partition, StageId, TaskId};
use crate::rpc::connection::{ConnectionError, Incoming, accept};
use crate::rpc::frame::Secret;
use crate::rpc::message::{FromExecutor, from_executor::Message};

/// Accepts executors for as long as it is polled. One that is silent for
/// `patience` is given up.
pub(super) async fn serve(
    listener: TcpListener,
    secret: Secret,
    patience: Duration,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let secret = Arc::new(secret);
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let (secret, inputs) = (Arc::clone(&secret), inputs.clone());
                tokio::spawn(async move {
                    if let Err(error) = speak(stream, &secret, patience, &inputs).await {
                        tracing::debug!(%from, %error, "a connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: some will come free.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn speak(
    stream: TcpStream,
    secret: &Secret,
    patience: Duration,
    inputs: &mpsc::UnboundedSender<Input>,
) -> Result<(), ConnectionError> {
    let greeted = timeout(patience, accept::<FromExecutor, _>(stream, secret)).await;
    let (mut incoming, link) = greeted.map_err(|_| silent(patience))??;
    let first = next(&mut incoming, patience).await?;
    let Some(Message::Register(register)) = first.and_then(|it| it.message) else {
        return Ok(());
    };
    let executor = ExecutorId::from(register.executor.as_str());
    let tell = |input| {
        // Without the loop the run is over.
        let _ = inputs.send(input);
    };
    tell(cluster(ClusterInput::Registered { register, link }));
    let why = match listen(&mut incoming, &executor, patience, &tell).await {
        Ok(()) => "its connection was closed".to_owned(),
        Err(error) => format!("its connection broke: {error}"),
    };
    tell(cluster(ClusterInput::Disconnected { executor, why }));
    Ok(())
}

/// The next message, if one comes in time.
async fn next(
    incoming: &mut Incoming<FromExecutor>,
    patience: Duration,
) -> Result<Option<FromExecutor>, ConnectionError> {
    let next = timeout(patience, incoming.next()).await;
    next.unwrap_or_else(|_| Err(silent(patience)))
}

fn silent(patience: Duration) -> ConnectionError {
    let text = format!("it has said nothing for {patience:?}");
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}

fn cluster(input: ClusterInput) -> Input {
    Input::Cluster(Box::new(input))
}

async fn listen(
    incoming: &mut Incoming<FromExecutor>,
    executor: &ExecutorId,
    patience: Duration,
    tell: &impl Fn(Input),
) -> Result<(), ConnectionError> {
    while let Some(message) = next(incoming, patience).await? {
        match message.message {
            Some(Message::Statuses(batch)) => {
                for status in batch.statuses {
                    if let Some(outcome) = status.outcome {
                        tell(Input::Ended {
                            executor: executor.clone(),
                            task: TaskId(status.task),
                            outcome,
                        });
                    }
                }
            }
            Some(Message::Commit(request)) => tell(Input::Commit {
                task: TaskId(request.task),
                stage: StageId(request.stage),
                partition: Partition(request.partition),
                answer: CommitAnswer::Executor(executor.clone()),
            }),
            Some(Message::Heartbeat(heartbeat)) => {
                for progress in heartbeat.progress {
                    tell(Input::Progress {
                        task: TaskId(progress.task),
                        records: progress.records,
                    });
                }
            }
            Some(Message::Dropped(dropped)) => tell(cluster(ClusterInput::Dropped {
                executor: executor.clone(),
                dropped,
            })),
            Some(Message::Register(_)) | None => {}
        }
    }
    Ok(())
}
