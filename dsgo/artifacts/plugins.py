"""Where MLflow finds our artifact repositories (entry points in pyproject.toml); each is imported when first used."""

from mlflow.store.artifact.artifact_repo import ArtifactRepository


def ftp(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> ArtifactRepository:
    """Build the repository for an `ftp://` or `ftps://` URI."""
    from dsgo.artifacts.ftp.repository import FTPArtifactRepository

    return FTPArtifactRepository(artifact_uri, tracking_uri, registry_uri)


def proxied(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> ArtifactRepository:
    """Build the repository for an `mlflow-artifacts:` URI."""
    from dsgo.artifacts.proxied import ProxiedArtifactRepository

    return ProxiedArtifactRepository(artifact_uri, tracking_uri, registry_uri)
