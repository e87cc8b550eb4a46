"""The same two endpoints as a Python team would write them: FastAPI, Pydantic, SQLAlchemy. What `bench/api.py` compares
with."""

import datetime
import os
import secrets
import sys
import uuid
from pathlib import Path

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import JSON, DateTime, Index, String, create_engine, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from reference_api import CreateDeployment  # noqa: E402 (found by the line above)

KEY = os.environ["REFERENCE_KEY"]
engine = create_engine(os.environ["REFERENCE_DATABASE"], pool_size=20)
if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def durable(connection, _):
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 30000"):
            connection.execute(f"PRAGMA {pragma}")


sessions = sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Deployment(Base):
    __tablename__ = "reference_deployments"
    deployment_id: Mapped[str] = mapped_column(String, primary_key=True)
    model: Mapped[str] = mapped_column(String)
    name: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    owner: Mapped[str] = mapped_column(String)
    domain: Mapped[str] = mapped_column(String)
    body: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True))
    __table_args__ = (Index("reference_names", "model", "name", unique=True),)

    def view(self) -> dict:
        return {
            "deployment_id": self.deployment_id,
            "name": self.name,
            "type": "batch",
            "status": self.status,
            "domain": self.domain,
            "owner": self.owner,
            "model": self.model,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "schedule": self.body["schedule"],
            "last_run": None,
            "allowed_roles": self.body["allowed_roles"],
        }


def signed_in(authorization_psk: str = Header()) -> None:
    if not secrets.compare_digest(authorization_psk, KEY):
        raise HTTPException(401, "not valid")


def session():
    with sessions() as opened:
        yield opened


app = FastAPI(dependencies=[Depends(signed_in)])


@app.get("/api/models/{model}/deployments/{name}")
def get(model: str, name: str, db: Session = Depends(session)):
    found = db.scalar(select(Deployment).where(Deployment.model == model, Deployment.name == name))
    if found is None:
        raise HTTPException(404, "no such deployment")
    return found.view()


@app.post("/api/models/{model}/deployments", status_code=201)
def create(model: str, body: CreateDeployment, db: Session = Depends(session)):
    made = Deployment(
        deployment_id=str(uuid.uuid4()),
        model=model,
        name=body.name,
        status="active",
        owner=body.owner,
        domain=body.domain,
        body=body.model_dump(by_alias=True),
        created_at=datetime.datetime.now(datetime.UTC),
    )
    db.add(made)
    try:
        db.commit()
    except IntegrityError:
        raise HTTPException(409, "the name is taken") from None
    return made.view()


if __name__ == "__main__":  # makes the tables, and as many deployments as are asked for
    Base.metadata.create_all(engine)
    with sessions() as db:
        rows = [
            {
                "deployment_id": str(uuid.uuid4()),
                "model": "m",
                "name": f"d{i}",
                "status": "active",
                "owner": "y",
                "domain": "x",
                "body": {"schedule": None, "allowed_roles": None},
                "created_at": datetime.datetime.now(datetime.UTC),
            }
            for i in range(int(sys.argv[1]))
        ]
        db.execute(Deployment.__table__.insert(), rows)
        db.commit()
