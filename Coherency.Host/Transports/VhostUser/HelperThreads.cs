using Coherency.Core.Fuse;
using Coherency.Host.Server;
using Coherency.Host.Server.Statistics;

namespace Coherency.Host.Transports.VhostUser;

/// <summary>
/// Threads that carry out what would hold a queue up (<see cref="HandOver"/>). The queue's own thread goes on to the next request
/// meanwhile.
/// </summary>
internal sealed class HelperThreads : IDisposable
{
    private readonly FuseSession _session;
    private readonly HandOver _handOver;
    private readonly Queue<FuseRequest> _requests = new();
    private readonly Thread[] _threads;
    private bool _stopping;

    public HelperThreads(FuseSession session, HandOver handOver, string name, int count)
    {
        _session = session;
        _handOver = handOver;
        _threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            _threads[i] = RequestThread.Start($"{name}-helper{i}", Run);
        }
    }

    public bool Any => _threads.Length > 0;

    /// <summary>Hands a loaded request over.</summary>
    public void Add(FuseRequest request)
    {
        lock (_requests)
        {
            _requests.Enqueue(request);
            Monitor.Pulse(_requests);
        }
    }

    /// <summary>Returns when every request handed over has been carried out.</summary>
    public void Dispose()
    {
        lock (_requests)
        {
            _stopping = true;
            Monitor.PulseAll(_requests);
        }

        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private void Run()
    {
        RequestRecorder recorder = _session.Counters.Rent();
        while (TryTake(out FuseRequest? request))
        {
            _handOver.Execute(_session, request, recorder);
        }

        _session.Counters.Return(recorder);
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out FuseRequest? request)
    {
        lock (_requests)
        {
            while (!_requests.TryDequeue(out request))
            {
                if (_stopping)
                {
                    return false;
                }

                Monitor.Wait(_requests);
            }

            return true;
        }
    }
}
