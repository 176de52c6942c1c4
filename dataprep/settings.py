"""The base of every settings model in a recipe: unknown fields are errors, values never change after validation."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen part of a recipe. Its JSON form is what stage fingerprints are computed from."""

    model_config = ConfigDict(extra="forbid", frozen=True)
