# SPDX-License-Identifier: Apache-2.0
import threading

from watchdog.events import FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver


class Printer(FileSystemEventHandler):
    def on_any_event(self, event):
        print(event.event_type, event.src_path, getattr(event, "dest_path", ""), flush=True)


observer = InotifyObserver()
observer.schedule(Printer(), ".", recursive=True)
observer.start()
print("ready", flush=True)
threading.Event().wait()
