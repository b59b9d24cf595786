using Spectre.Console;

namespace Coherency.Bench.Reports;

/// <summary>Shows how far the run is: a bar on a terminal, a line per step elsewhere.</summary>
internal static class ProgressDisplay
{
    /// <param name="steps">How often <paramref name="work"/> will call back.</param>
    /// <param name="work">Gets a function to call with the name of each step when it begins.</param>
    public static T Run<T>(int steps, Func<Action<string>, T> work)
    {
        if (Console.IsOutputRedirected)
        {
            int step = 0;
            return work(name => Console.WriteLine($"[{++step}/{steps}] {name}"));
        }

        return AnsiConsole.Progress().HideCompleted(true).Start(progress =>
        {
            ProgressTask task = progress.AddTask("starting", maxValue: steps);
            return work(name =>
            {
                task.Description = Markup.Escape(name);
                task.Increment(1);
            });
        });
    }
}
