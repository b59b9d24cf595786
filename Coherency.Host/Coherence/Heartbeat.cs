namespace Coherency.Host.Coherence;

/// <summary>Shows the readers of tables that the daemon lives; it stops when what keeps them right has stopped.</summary>
public sealed class Heartbeat : IDisposable
{
    /// <summary>A reader that has seen no beat for so long believes nothing, in milliseconds.</summary>
    public const int BoundMs = 2000;

    /// <summary>Several beats fit into the 100 ms that are promised, for a busy machine wakes threads late.</summary>
    private const int PeriodMs = 25;

    private readonly Func<TableView, bool> _isAlive;
    private readonly IReadOnlyList<TableView> _views;
    private readonly ManualResetEvent _stop = new(initialState: false);
    private readonly Thread _thread;

    /// <param name="isAlive">Does all work that keeps this view right? Asked before each beat.</param>
    public Heartbeat(IReadOnlyList<TableView> views, Func<TableView, bool> isAlive)
    {
        _views = views;
        _isAlive = isAlive;
        // A thread of its own: the pool's may all be busy.
        _thread = new Thread(Run) { Name = "heartbeat", IsBackground = true };
        _thread.Start();
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
            foreach (TableView view in _views)
            {
                if (view.IsAttached && _isAlive(view))
                {
                    view.Table.Beat();
                }
            }
        }
        while (!_stop.WaitOne(PeriodMs));
    }
}
