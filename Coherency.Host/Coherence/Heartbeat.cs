using Coherency.Host.Faults;
using Coherency.Host.Server;

namespace Coherency.Host.Coherence;

/// <summary>Shows the readers of tables that the daemon lives; it stops when what keeps them right has stopped.</summary>
public sealed class Heartbeat : IDisposable
{
    /// <summary>A reader that has seen no beat for so long believes nothing, in milliseconds.</summary>
    public const int BoundMs = 2000;

    /// <summary>Several beats fit into the 100 ms that are promised, for a busy machine wakes threads late.</summary>
    private const int PeriodMs = 25;

    private readonly Func<TableView, bool> _isAlive;
    private readonly Action<Exception> _failed;
    private readonly LogLimit _faults = new();
    private readonly Func<IReadOnlyList<TableView>> _views;
    private readonly Lock _round = new();
    private readonly ManualResetEvent _stop = new(initialState: false);
    private readonly Thread _thread;

    /// <param name="views">Those that there are, asked before each round.</param>
    /// <param name="isAlive">Does all work that keeps this view right? Asked before each beat.</param>
    /// <param name="failed">Is told why a view got no beat, if asking for that failed.</param>
    public Heartbeat(Func<IReadOnlyList<TableView>> views, Func<TableView, bool> isAlive, Action<Exception> failed)
    {
        _views = views;
        _isAlive = isAlive;
        _failed = failed;
        // A thread of its own: the pool's may all be busy.
        _thread = GuardedThread.Start("heartbeat", Run, failed);
    }

    /// <summary>When this returns, a view that is not among them any more gets no beat.</summary>
    public void WaitForRound()
    {
        lock (_round)
        {
            // Whoever has it has the views of before.
        }
    }

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Run()
    {
        do
        {
            lock (_round)
            {
                foreach (TableView view in _views())
                {
                    // A view without a beat is one that its guest does not believe; the others' go on.
                    GuardedThread.Guard(() => Beat(view), Report);
                }
            }
        }
        while (!_stop.WaitOne(PeriodMs));
    }

    private void Beat(TableView view)
    {
        if (view.IsAttached && _isAlive(view))
        {
            view.Table.Beat();
        }
    }

    private void Report(Exception fault)
    {
        if (_faults.Allows(out _))
        {
            _failed(fault);
        }
    }
}
