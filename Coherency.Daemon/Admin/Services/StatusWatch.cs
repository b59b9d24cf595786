using System.Runtime.CompilerServices;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Coherency.Daemon.Admin.Services;

/// <summary>
/// Looks at the status of services for all that follow them, and wakes those whose service has changed: a thousand that watch
/// cost no more than one while nothing happens.
/// </summary>
internal sealed class StatusWatch(Func<string, ServingStatus> read)
{
    /// <summary>How late a change may be told.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watched> _services = [];
    private bool _isLooking;

    /// <summary>The status now, then each that follows.</summary>
    public async IAsyncEnumerable<ServingStatus> FollowAsync(string service, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Watched watched = Enter(service);
        try
        {
            ServingStatus? told = null;
            while (true)
            {
                (ServingStatus now, Task changed) = Look(watched);
                if (now == told)
                {
                    await changed.WaitAsync(cancellation).ConfigureAwait(false);
                    continue;
                }

                told = now;
                yield return now;
            }
        }
        finally
        {
            Leave(service, watched);
        }
    }

    private Watched Enter(string service)
    {
        lock (_lock)
        {
            if (!_services.TryGetValue(service, out Watched? watched))
            {
                watched = new Watched { Status = read(service) };
                _services.Add(service, watched);
            }

            watched.Followers++;
            if (!_isLooking)
            {
                _isLooking = true;
                _ = LookWhileFollowedAsync();
            }

            return watched;
        }
    }

    private void Leave(string service, Watched watched)
    {
        lock (_lock)
        {
            if (--watched.Followers == 0)
            {
                _services.Remove(service);
            }
        }
    }

    private (ServingStatus Status, Task Changed) Look(Watched watched)
    {
        lock (_lock)
        {
            return (watched.Status, watched.Changed.Task);
        }
    }

    private async Task LookWhileFollowedAsync()
    {
        do
        {
            await Task.Delay(Period).ConfigureAwait(false);
        }
        while (Refresh());
    }

    /// <returns>False when nobody follows any more.</returns>
    private bool Refresh()
    {
        lock (_lock)
        {
            foreach ((string service, Watched watched) in _services)
            {
                ServingStatus now = read(service);
                if (now != watched.Status)
                {
                    watched.Status = now;
                    watched.Changed.SetResult();
                    watched.Changed = Watched.NewChange();
                }
            }

            _isLooking = _services.Count > 0;
            return _isLooking;
        }
    }

    private sealed class Watched
    {
        public required ServingStatus Status { get; set; }

        /// <summary>Completes with the next change.</summary>
        public TaskCompletionSource Changed { get; set; } = NewChange();

        public int Followers { get; set; }

        public static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
