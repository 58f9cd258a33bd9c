//! Names that are refused when they ask for something.
//!
//! Responsible for the settings that nobody may believe to be in effect while
//! they are not: wanted safety, what decides what tasks see and where they run,
//! and what would be missed only when it is too late. A reason says what there
//! is in its place.

use super::Foreign;

/// The table. The first entry that matches tells the reason.
pub static REFUSED: &[Foreign] = &[
    Foreign {
        reason: "pages know no users: mesquite.ui.password.file gives them a password, \
                 spark.ui.enabled=false does without them",
        names: &[
            "spark.acls.enable",
            "spark.ui.acls.enable",
            "spark.ui.filters",
        ],
    },
    Foreign {
        reason: "the tasks of an executor share its memory: set spark.executor.memory, and \
                 spark.memory.fraction if need be",
        names: &["mesquite.task.memory"],
    },
    Foreign {
        reason: "persisted partitions share the executor's memory with its tasks: set \
                 spark.executor.memory, and spark.memory.storageFraction if need be",
        names: &["mesquite.storage.memory"],
    },
    Foreign {
        reason: "each run makes its own secret, and a credential of it for each executor",
        names: &["spark.authenticate.secret", "spark.authenticate.secret.*"],
    },
    Foreign {
        reason: "pages are served without TLS: leave spark.ui.bindAddress as it is, and reach \
                 them through a tunnel (`ssh -L 4040:127.0.0.1:4040 HOST`); what passes between \
                 driver and executors is encrypted by keys that each run makes for itself",
        names: &["spark.ssl.*.enabled"],
    },
    Foreign {
        reason: "certificates and keys are read from PEM files: name them by spark.ssl.certChain \
                 and spark.ssl.privateKey (`openssl pkcs12 -in STORE.p12 -nodes` takes them out of \
                 a store)",
        names: &["spark.ssl.keyStore", "spark.ssl.keyStoreType"],
    },
    Foreign {
        reason: "spark.ssl.trustStore is a PEM file (`keytool -exportcert -rfc` writes one)",
        names: &["spark.ssl.trustStoreType"],
    },
    Foreign {
        reason: "keys are read unencrypted, and guarded by the permissions of their file \
                 (`openssl pkey -in KEY.pem -out PLAIN.pem`)",
        names: &[
            "spark.ssl.keyPassword",
            "spark.ssl.keyStorePassword",
            "spark.ssl.privateKeyPassword",
        ],
    },
    Foreign {
        reason: "saved objects are encrypted as their store is set up, and not otherwise",
        names: &[
            "spark.hadoop.fs.s3a.encryption.*",
            "spark.hadoop.fs.s3a.server-side-encryption*",
        ],
    },
    Foreign {
        reason: "the driver runs no tasks: spark.executor.resource and spark.task.resource say \
                 what executors hold and tasks need",
        names: &["spark.driver.resource.*.amount"],
    },
    Foreign {
        reason: "say it by spark.executor.resource.gpu.amount, and spark.task.resource.gpu.amount \
                 for a task",
        names: &["spark.mesos.executor.gpus"],
    },
    Foreign {
        reason: "there is no external shuffle service; the outputs of an executor that died are \
                 served by another one on its host",
        names: &["spark.shuffle.service.enabled"],
    },
    Foreign {
        reason: "executors are in the network of their agents in this version, where all their \
                 ports are the agents'",
        names: &[
            "spark.mesos.executor.docker.portmaps",
            "spark.mesos.network.labels",
            "spark.mesos.network.name",
        ],
    },
    Foreign {
        reason: "executors are given no secrets in this version",
        names: &["spark.mesos.executor.secret.*"],
    },
    Foreign {
        reason: "the driver runs where mesquite is started",
        names: &["spark.submit.deployMode"],
    },
    Foreign {
        reason: "a run has no time limit: start mesquite under `timeout`",
        names: &["spark.driver.timeout"],
    },
    Foreign {
        reason: "an action names its own: write `pool = \"NAME\"` in its `[[action]]`",
        names: &["spark.scheduler.pool"],
    },
    Foreign {
        reason: "set spark.excludeOnFailure.enabled and spark.excludeOnFailure.timeout instead",
        names: &[
            "spark.scheduler.executorTaskBlacklistTime",
            "spark.scheduler.executorTaskExcludeOnFailureTime",
        ],
    },
];

/// Values that ask for what there is anyway.
pub(super) static HARMLESS: &[(&str, &str)] = &[
    ("spark.scheduler.pool", "default"),
    ("spark.ssl.trustStoreType", "PEM"),
    ("spark.submit.deployMode", "client"),
];
