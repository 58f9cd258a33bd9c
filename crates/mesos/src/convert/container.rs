//! Containers.

use super::super::container::{Container, Image, Label, Runtime, Volume};
use super::super::proto::{self, container_info, image, volume};

pub(super) fn container_to_wire(container: &Container) -> proto::ContainerInfo {
    let mut wire = proto::ContainerInfo {
        volumes: container.volumes.iter().map(volume_to_wire).collect(),
        ..proto::ContainerInfo::default()
    };
    match &container.runtime {
        Runtime::Mesos(image) => {
            wire.r#type = container_info::Type::Mesos.into();
            wire.mesos = Some(container_info::MesosInfo {
                image: Some(image_to_wire(image)),
            });
        }
        Runtime::Docker { image, parameters } => {
            wire.r#type = container_info::Type::Docker.into();
            let parameter = |(key, value): &(String, String)| proto::Parameter {
                key: key.clone(),
                value: value.clone(),
            };
            wire.docker = Some(container_info::DockerInfo {
                image: image.name.clone(),
                network: Some(container_info::docker_info::Network::Host.into()),
                parameters: parameters.iter().map(parameter).collect(),
                force_pull_image: Some(image.pull),
                ..container_info::DockerInfo::default()
            });
        }
    }
    wire
}

fn image_to_wire(image: &Image) -> proto::Image {
    proto::Image {
        r#type: image::Type::Docker.into(),
        docker: Some(image::Docker {
            name: image.name.clone(),
            ..image::Docker::default()
        }),
        cached: Some(!image.pull),
        ..proto::Image::default()
    }
}

fn volume_to_wire(volume: &Volume) -> proto::Volume {
    let mode = if volume.read_only {
        volume::Mode::Ro
    } else {
        volume::Mode::Rw
    };
    proto::Volume {
        mode: mode.into(),
        container_path: volume.container_path.clone(),
        host_path: volume.host_path.clone(),
        ..proto::Volume::default()
    }
}

pub(super) fn labels_to_wire(labels: &[Label]) -> Option<proto::Labels> {
    let label = |label: &Label| proto::Label {
        key: label.key.clone(),
        value: Some(label.value.clone()),
    };
    let labels: Vec<_> = labels.iter().map(label).collect();
    (!labels.is_empty()).then_some(proto::Labels { labels })
}
