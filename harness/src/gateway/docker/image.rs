//! Getting an image.

use std::collections::BTreeMap;

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

use super::engine::ContainerEngine;
use crate::gateway::Unavailable;
use crate::gateway::wait::answer;
use crate::progress;

/// Has the engine pull an image that it does not have yet, which may take minutes.
///
/// # Errors
/// It cannot be had.
pub fn provide(engine: &ContainerEngine, image: &str) -> Result<(), Unavailable> {
    answer(async {
        match engine.docker().inspect_image(image).await {
            Ok(_) => Ok(()),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => pull(engine, image).await,
            Err(error) => Err(error.into()),
        }
    })
    .map_err(|error| {
        Unavailable(format!("no image {image}: name one that can be pulled or is here already ({error:#})"))
    })
}

async fn pull(engine: &ContainerEngine, image: &str) -> anyhow::Result<()> {
    progress::at(format!("pulling {image}"));
    let options = CreateImageOptionsBuilder::default().from_image(&exactly_one(image)).build();
    let mut progress = engine.docker().create_image(Some(options), None, None);
    let mut layers = BTreeMap::new();
    while let Some(step) = progress.try_next().await? {
        let (Some(layer), Some(status)) = (step.id, step.status) else { continue };
        let here = matches!(&*status, "Already exists" | "Pull complete");
        if layers.insert(layer, here) == Some(false) && here {
            let done = layers.values().filter(|here| **here).count();
            progress::at(format!("pulling {image}: {done} of {} layers are here", layers.len()));
        }
    }
    Ok(())
}

/// Asked for a name alone, an engine pulls every image of that name.
fn exactly_one(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::exactly_one;

    #[test]
    fn of_a_name_without_a_tag_the_latest_is_meant_and_not_all() {
        assert_eq!(exactly_one("kong"), "kong:latest");
        assert_eq!(exactly_one("localhost:5000/kong"), "localhost:5000/kong:latest");
        assert_eq!(exactly_one("localhost:5000/kong:3.9.1"), "localhost:5000/kong:3.9.1");
        assert_eq!(exactly_one("kong@sha256:00"), "kong@sha256:00");
    }
}
