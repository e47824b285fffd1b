"""The routes of the queue: the order, the devices, and why a job waits."""

from fastapi import APIRouter

from api.devices.routes import router as devices
from api.queue.explain_routes import router as explain
from api.queue.routes import router as queue

router = APIRouter()
for _part in (queue, devices, explain):
    router.include_router(_part)
